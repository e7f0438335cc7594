"""Judges an expert on somebody's own material and shows what came out."""

from collections.abc import Callable
from fractions import Fraction
from typing import Final

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from inference.evaluation.item_windows import picture_windows, sound_windows, text_window
from inference.evaluation.manifest_report import Open, Windows, judge_manifest
from inference.evaluation.plots import check_plots, draw
from inference.evaluation.report import EvaluationReport
from inference.evidence import Expert
from inference.fusion.artefact import Fusers
from inference.labels import AbsenceReason, Modality
from inference.training.audio_file import UnreadableAudioError, read_audio
from inference.training.manifest import Content, Item
from inference.window import CameraFrame
from streams.cli._manifest import ManifestOptions
from streams.cli._reports import show_report
from streams.ingest.errors import MediaError
from streams.ingest.media import MediaFile

PICTURES_A_SECOND: Final = Fraction(2)
"""As `ingest` takes them unless told otherwise."""
CONTENT: Final[dict[Modality, Content]] = {
    Modality.SPEECH: "path",
    Modality.TEXT: "text",
    Modality.FACE: "path",
}


def judge(
    options: ManifestOptions, modality: Modality, load: Callable[[], Expert], *, json: bool
) -> None:
    """Judge the expert on the manifest; show and write what was asked for."""
    if options.plots is not None:
        check_plots(options.plots)
    manifest = options.read(CONTENT[modality])
    expert, fuser = load(), Fusers.load().default
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("judging", total=len(manifest.items))
        judgement = judge_manifest(
            manifest, expert, OPENERS[modality], fuser, on_item=lambda: bar.advance(task)
        )
    show(judgement.report, options, json=json)
    if options.plots is not None:
        draw(judgement.rows, modality.value, options.plots)


def show(report: EvaluationReport, options: ManifestOptions, *, json: bool) -> None:
    """Print the report, and write it as Markdown if that was asked for."""
    show_report(report, options.markdown, json=json)


def _sound(item: Item) -> Windows:
    try:
        return sound_windows(read_audio(item.file))
    except UnreadableAudioError:
        return AbsenceReason.UNDECODABLE


def _words(item: Item) -> Windows:
    return [text_window(item.text, item.language)]


def _pictures(item: Item) -> Windows:
    """Of the first video track; a still picture is a track of one frame."""
    try:
        media = MediaFile.open(item.file, _ignore)
        if not media.pictures:
            return AbsenceReason.NO_CAMERA
        frames = media.frames(media.pictures[0], PICTURES_A_SECOND, _ignore)
        return picture_windows([CameraFrame(one.at_ns, one.jpeg) for one in frames])
    except MediaError:
        return AbsenceReason.UNDECODABLE


def _ignore(_: str) -> None:
    """What is odd about a file shows in its figures."""


OPENERS: Final[dict[Modality, Open]] = {
    Modality.SPEECH: _sound,
    Modality.TEXT: _words,
    Modality.FACE: _pictures,
}
