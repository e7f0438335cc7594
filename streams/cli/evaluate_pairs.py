"""`affectstream evaluate pairs`: whether fusion does what it should, on pairs put together."""

from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from inference.evaluation.report import EvaluationReport


def pairs(
    *,
    speech: Path,
    text: Path,
    seed: int = 0,
    threads: int = 1,
    json: bool = False,
    markdown: Path | None = None,
) -> None:
    """Test fusion on voices and lines of the same class, which never belonged together.

    Such pairs are independent by construction: the figures test the code, and promise nothing.

    Example: `affectstream evaluate pairs --speech emodb --text goemotions --json`

    Args:
        speech: folder with the EmoDB recordings, searched to the bottom; the two speakers that
            no shipped weight has heard are used.
        text: folder with ekman_test.tsv and ekman_labels.txt of GoEmotions.
        seed: of cuts, codecs, noise, lost words and pairs.
        threads: of the encoder.
        json: print one JSON object instead of tables.
        markdown: file for the tables as Markdown.
    """
    from streams.cli._reports import check_place, show_report

    check_place(markdown)
    show_report(judge_pairs(speech, text, seed=seed, threads=threads), markdown, json=json)


def judge_pairs(speech: Path, text: Path, *, seed: int = 0, threads: int = 1) -> EvaluationReport:
    """Hear, read, pair and judge; a bar on stderr."""
    from inference.evaluation.pairs import by_words, evaluate_pairs, voices
    from inference.experts.speech import SpeechExpert
    from inference.experts.text import TextExpert
    from inference.fusion.artefact import FusionArtefact
    from inference.training.emodb import HELD_OUT_SPEAKERS, find_clips
    from inference.training.goemotions import read_comments
    from inference.training.held_out_evidence import text_evidence

    clips = [clip for clip in find_clips(speech) if clip.speaker in HELD_OUT_SPEAKERS]
    lines = read_comments(text, "test").single_lines
    listener, reader = SpeechExpert.load(threads), TextExpert.load()
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("pairing", total=len(clips))
        said = by_words(text_evidence(lines, reader, seed))
        heard = voices(clips, listener, seed, on_clip=lambda: bar.advance(task))
        versions = {"speech": listener.version, "text": reader.version, "seed": str(seed)}
        return evaluate_pairs(heard, said, FusionArtefact.load(), versions, seed)
