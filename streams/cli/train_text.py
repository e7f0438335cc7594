"""`affectstream train text`: make the weights of the text expert."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from inference.training.manifest import ManifestError, parse_labels, read_manifest


def text(
    *,
    data: Path | None = None,
    add: Path | None = None,
    labels: str = "",
    out: Path | None = None,
    plus: bool = False,
    models_dir: Path | None = None,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Train the text expert on GoEmotions, on lines of your own, or on both.

    Two minutes on one core. Sentence vectors take another command afterwards, with --plus, and
    another ten minutes.

    Example: `affectstream train text --data goemotions --out text-weights`

    Args:
        data: folder with ekman_train.tsv, ekman_dev.tsv and ekman_labels.txt.
        add: a CSV file of your own with the columns `text` and `label`. A fifth of its rows
            go into the calibration, the others into the heads, each as four comments.
            Without --data it must hold a thousand rows.
        labels: what other names of labels mean: `happy=joy,calm=neutral`; `contempt=` leaves
            such rows out.
        out: folder for the weights; default is the folder of the shipped ones.
        plus: only the heads on sentence vectors that the setting `text_plus` needs, beside the
            words that were trained before on the same lines. Their encoder comes from
            `affectstream models fetch sentence_encoder`; vectors are kept in the folder
            `vectors` beside it, so that a second run is quick.
        models_dir: where the encoder lies; default is the setting `models_dir`.
        seed: of the words that the spoken copies of the training lines lose, and of folds.
        threads: of the encoder.
    """
    from inference.experts.text import WEIGHTS
    from inference.experts.text_encoder import RememberingEncoder, SentenceEncoder
    from inference.experts.text_model import TextModel
    from inference.training import text as words
    from inference.training import text_plus as sentences
    from inference.training.text_material import gather
    from streams.settings import load

    if data is None and add is None:
        raise ManifestError("name --data, --add or both")
    own = read_manifest(add, "text", labels=parse_labels(labels)).items if add else ()
    material = gather(data, own, seed=seed)
    console = Console(stderr=True)
    target = out or WEIGHTS
    steps = sentences.STEPS if plus else words.STEPS
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        tasks = {step: progress.add_task(step, total=1, start=False) for step in steps}
        begun: list[str] = []

        def begin(step: str) -> None:
            for earlier in begun:
                progress.update(tasks[earlier], total=1, completed=1)
            progress.start_task(tasks[step])
            begun.append(step)

        if plus:
            models = models_dir or load().models_dir
            encoder = RememberingEncoder(
                SentenceEncoder.load(models, threads),
                models / "vectors",
                lambda done, total: progress.update(tasks[steps[0]], completed=done, total=total),
            )
            known = TextModel.load(target)
            version = sentences.train_plus(known, material, encoder, report=begin).save(target)
        else:
            version = words.train_text(material, seed=seed, report=begin).save(target)
        progress.update(tasks[steps[-1]], completed=1)
    console.print(f"{version} is in {target}", markup=False, highlight=False)
