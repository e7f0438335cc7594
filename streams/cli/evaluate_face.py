"""`affectstream evaluate face`: the figures of the face expert."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

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
    from inference.evaluation.face import evaluate_face, read_faces
    from inference.experts.blendshapes import Blendshapes
    from inference.experts.face import FaceExpert
    from inference.experts.face_cnn import CONFIG_FILE, RESEARCH_NET, FaceCnn
    from inference.labels import Modality
    from inference.third_party import FACE_LANDMARKER, BundleState, folder, state
    from streams.cli._judging import judge, show
    from streams.settings import load

    target = models_dir or load().models_dir
    own = own or ManifestOptions()
    own.check_with(data)
    if data is None:
        judge(own, Modality.FACE, lambda: FaceExpert.load(target, cnn), json=json)
        return
    if cnn is None and (target / RESEARCH_NET / CONFIG_FILE).is_file():
        cnn = target / RESEARCH_NET
    net = None if cnn is None else FaceCnn.load(cnn)
    blendshapes, versions = None, {}
    if net is None or state(FACE_LANDMARKER, target) is not BundleState.MISSING:
        blendshapes = Blendshapes.load(folder(FACE_LANDMARKER, target))
        versions["face"] = FaceExpert.load(target).version
    if net is not None:
        versions["net"] = net.version
    faces = read_faces(data)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("looking", total=len(faces) * len(versions))
        report = evaluate_face(faces, blendshapes, net, versions, lambda: bar.advance(task))
    show(report, own, json=json)
