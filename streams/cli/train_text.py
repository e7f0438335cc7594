"""`affectstream train text`: make the weights of the text expert."""

from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def text(*, data: Path, out: Path | None = None, seed: int = 0) -> None:
    """Train the text expert on GoEmotions; a few minutes on one core.

    Example: `affectstream train text --data goemotions --out text-weights`

    Args:
        data: folder with ekman_train.tsv, ekman_dev.tsv and ekman_labels.txt.
        out: folder for the weights; default is the folder of the shipped ones.
        seed: of the words that the spoken copies of the training lines lose.
    """
    from inference.experts.text import WEIGHTS
    from inference.training.text import STEPS, train_text

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        tasks = {step: progress.add_task(step, total=1, start=False) for step in STEPS}
        begun: list[str] = []

        def begin(step: str) -> None:
            for earlier in begun:
                progress.update(tasks[earlier], completed=1)
            progress.start_task(tasks[step])
            begun.append(step)

        model = train_text(data, seed=seed, report=begin)
        progress.update(tasks[STEPS[-1]], completed=1)
    target = out or WEIGHTS
    version = model.save(target)
    console.print(f"{version} is in {target}", markup=False, highlight=False)
