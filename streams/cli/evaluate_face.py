"""`affectstream evaluate face`: the figures of the face expert."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from inference.evaluation.report import EvaluationReport
from streams.cli._manifest import ManifestOptions


def face(
    *,
    data: Path | None = None,
    models_dir: Path | None = None,
    json: bool = False,
    own: Annotated[ManifestOptions | None, Parameter(name="*")] = None,
) -> None:
    """Report the rule on blendshapes on the validation faces of FER+.

    Needs the optional weights: `affectstream models fetch`. With `--manifest` it judges the
    whole face expert on pictures or videos of your own.

    Example: `affectstream evaluate face --data ferplus --json`

    Args:
        data: folder with labels.csv, Valid_00.png and Valid_01.png.
        models_dir: where the optional weights lie; default is the setting `models_dir`.
        json: print one JSON object instead of tables.
        own: material of your own.
    """
    from inference.experts.face import FaceExpert
    from inference.labels import Modality
    from streams.cli._judging import judge, show
    from streams.settings import load

    target = models_dir or load().models_dir
    own = own or ManifestOptions()
    own.check_with(data)
    if data is None:
        judge(own, Modality.FACE, lambda: FaceExpert.load(target), json=json)
        return
    show(judge_face(data, target), own, json=json)


def judge_face(data: Path, models_dir: Path) -> EvaluationReport:
    """Look at the faces of `data` with the optional weights and judge; a bar on stderr."""
    from inference.evaluation.face import evaluate_face, read_faces
    from inference.experts.blendshapes import Blendshapes
    from inference.experts.face import FaceExpert
    from inference.third_party import FACE_LANDMARKER, folder

    blendshapes = Blendshapes.load(folder(FACE_LANDMARKER, models_dir))
    faces = read_faces(data)
    version = FaceExpert.load(models_dir).version
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("looking", total=len(faces))
        return evaluate_face(faces, blendshapes, version, lambda: bar.advance(task))
