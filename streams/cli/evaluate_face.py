"""`affectstream evaluate face`: the figures of the face expert."""

from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress


def face(*, data: Path, models_dir: Path | None = None, json: bool = False) -> None:
    """Report the rule on blendshapes on the validation faces of FER+.

    Needs the optional weights: `affectstream models fetch`.

    Example: `affectstream evaluate face --data ferplus --json`

    Args:
        data: folder with labels.csv, Valid_00.png and Valid_01.png.
        models_dir: where the optional weights lie; default is the setting `models_dir`.
        json: print one JSON object instead of tables.
    """
    from inference.evaluation.face import evaluate_face, read_faces
    from inference.evaluation.report import print_report, to_json
    from inference.experts.blendshapes import Blendshapes
    from inference.experts.face import FaceExpert
    from inference.third_party import FACE_LANDMARKER, folder
    from streams.settings import load

    target = models_dir or load().models_dir
    blendshapes = Blendshapes.load(folder(FACE_LANDMARKER, target))
    faces = read_faces(data)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("looking", total=len(faces))
        report = evaluate_face(
            faces, blendshapes, FaceExpert.load(target).version, lambda: bar.advance(task)
        )
    if json:
        print(to_json(report))  # noqa: T201 - a result for programs
        return
    print_report(report, Console())
