"""`affectstream train face`: make the weights of the net for faces."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress


def face(
    *,
    data: Path | None = None,
    add: Sequence[Path] = (),
    labels: str = "",
    split: str | None = None,
    out: Path | None = None,
    seed: int = 0,
    epochs: int | None = None,
    threads: int = 1,
) -> None:
    """Train the net for faces on FER+; a quarter of an hour on one core that has bfloat16.

    Or on FER+ and pictures of your own, or on those alone. Weights that saw FER+ are for
    research only: its images carry no commercial grant. An interrupted training goes on from
    its last epoch when it is called again.

    Example: `affectstream train face --data ferplus --add pictures.csv`

    Args:
        data: folder with labels.csv and the mosaics Train_00, Train_01 and so on.
        add: a CSV file of your own, with the columns `path` (of a picture, relative to the
            file) and `label`; maybe `speaker` (who is seen) and `split`. The largest face of
            each picture counts as four of FER+; those of a fifth of the people are kept for
            calibration. Without --data there must be a thousand to learn from, and 20 of each
            label. May be given several times.
        labels: what other names of labels mean in the added files: `happy=joy,calm=neutral`;
            `contempt=` leaves such rows out.
        split: take the added rows with this value in the column `split`.
        out: folder for the weights; default is `research/face` in the setting `models_dir`,
            without --data `own/face`, which the setting `face_model` may name.
        seed: of the first weights, of the order of the faces and of what is done to them.
        epochs: how often each face is seen; default is that of the published figures, and
            more where there are few faces.
        threads: of the net.
    """
    import msgspec
    import torch

    from inference.experts.face_cnn import OWN_NET, RESEARCH_NET
    from inference.experts.face_detector import FaceDetector
    from inference.training.face import Plan, train_face, usual_epochs
    from inference.training.face_card import write_card
    from inference.training.face_material import gather
    from inference.training.manifest import parse_labels
    from inference.training.own_faces import cut_faces
    from inference.training.own_speech import read_own
    from streams.settings import load

    console = Console(stderr=True)
    torch.set_num_threads(threads)
    meanings = parse_labels(labels)
    manifests = [read_own(manifest, meanings, split) for manifest in add]
    detector = FaceDetector.load()
    target = out or load().models_dir / (OWN_NET if data is None else RESEARCH_NET)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        own = []
        if manifests:
            total = sum(len(rows.clips) for rows in manifests)
            looking = bar.add_task("looking", total=total)
            own = [cut_faces(rows, detector, lambda: bar.advance(looking)) for rows in manifests]
        for one in own:
            console.print(one.told, markup=False, highlight=False)
        material = gather(data, own, seed=seed)
        plan = Plan(
            seed=seed,
            epochs=usual_epochs(len(material.learnt)),
            bfloat16=torch.cpu.get_capabilities().get("avx512_bf16", False),
        )
        if epochs is not None:
            plan = msgspec.structs.replace(plan, epochs=epochs)
        learning = bar.add_task("learning", total=None)
        cnn = train_face(
            material, target, plan, lambda done, of: bar.update(learning, completed=done, total=of)
        )
    write_card(cnn, target)
    console.print(f"{cnn.version} is in {target}", markup=False, highlight=False)
