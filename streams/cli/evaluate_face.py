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
    cnn: Path | None = None,
    json: bool = False,
    own: Annotated[ManifestOptions | None, Parameter(name="*")] = None,
) -> None:
    """Report the readers of faces on the validation faces of FER+.

    The fixed rule needs the optional weights: `affectstream models fetch`. The research net
    needs weights of `affectstream train face`. With `--manifest` this judges the whole face
    expert on pictures or videos of your own.

    Example: `affectstream evaluate face --data ferplus --json`

    Args:
        data: folder with labels.csv, Valid_00.png and Valid_01.png.
        models_dir: where the optional weights lie; default is the setting `models_dir`.
        cnn: folder of the research net. With --data the default is `research/face` in the
            models folder, if it is there; with --manifest only a named one is used.
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
        judge(own, Modality.FACE, lambda: FaceExpert.load(target, cnn), json=json)
        return
    show(judge_face(data, target, cnn), own, json=json)


def judge_face(data: Path, models_dir: Path, cnn: Path | None = None) -> EvaluationReport:
    """Look at the faces of `data` with every reader that is there, and judge; a bar on stderr."""
    from inference.evaluation.face import evaluate_face, read_faces
    from inference.experts.blendshapes import Blendshapes
    from inference.experts.face import FaceExpert
    from inference.experts.face_cnn import CONFIG_FILE, RESEARCH_NET, FaceCnn
    from inference.third_party import FACE_LANDMARKER, BundleState, folder, state

    if cnn is None and (models_dir / RESEARCH_NET / CONFIG_FILE).is_file():
        cnn = models_dir / RESEARCH_NET
    net = None if cnn is None else FaceCnn.load(cnn)
    blendshapes, versions = None, {}
    if net is None or state(FACE_LANDMARKER, models_dir) is not BundleState.MISSING:
        blendshapes = Blendshapes.load(folder(FACE_LANDMARKER, models_dir))
        versions["face"] = FaceExpert.load(models_dir).version
    if net is not None:
        versions["net"] = net.version
    faces = read_faces(data)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("looking", total=len(faces) * len(versions))
        return evaluate_face(faces, blendshapes, net, versions, lambda: bar.advance(task))
