"""`affectstream train face`: make the weights of the research net for faces."""

from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress


def face(
    *,
    data: Path,
    out: Path | None = None,
    seed: int = 0,
    epochs: int | None = None,
    threads: int = 1,
) -> None:
    """Train the research net on FER+; a quarter of an hour on one core that has bfloat16.

    The weights are for research only: the images of FER+ carry no commercial grant. An
    interrupted training goes on from its last epoch when it is called again.

    Example: `affectstream train face --data ferplus`

    Args:
        data: folder with labels.csv and the mosaics Train_00, Train_01 and so on.
        out: folder for the weights; default is `research/face` in the setting `models_dir`.
        seed: of the first weights, of the order of the faces and of what is done to them.
        epochs: how often each face is seen; default is that of the published figures.
        threads: of the net.
    """
    import msgspec
    import torch

    from inference.experts.face_cnn import RESEARCH_NET
    from inference.training.face import Plan, train_face
    from inference.training.face_card import write_card
    from inference.training.ferplus import read_tiles
    from streams.settings import load

    console = Console(stderr=True)
    torch.set_num_threads(threads)
    plan = Plan(seed=seed, bfloat16=torch.cpu.get_capabilities().get("avx512_bf16", False))
    if epochs is not None:
        plan = msgspec.structs.replace(plan, epochs=epochs)
    target = out or load().models_dir / RESEARCH_NET
    faces = read_tiles(data, "Train")
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        task = bar.add_task("learning", total=None)
        cnn = train_face(
            faces, target, plan, lambda done, of: bar.update(task, completed=done, total=of)
        )
    write_card(cnn, target)
    console.print(f"{cnn.version} is in {target}", markup=False, highlight=False)
