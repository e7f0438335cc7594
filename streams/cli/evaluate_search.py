"""`affectstream evaluate search`: whether moments are found by what is said of them."""

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from inference.evaluation.report import EvaluationReport

EMODB_DRAWS: Final = 4
"""Half of the speakers then have a thousand windows."""


def search(
    *,
    data: Path,
    weights: Path | None = None,
    cache: Path | None = None,
    seed: int = 0,
    threads: int = 1,
    json: bool = False,
    markdown: Path | None = None,
) -> None:
    """Ask the shared space for windows of people whom it has not met.

    Example: `affectstream evaluate search --data corpora --json`

    Args:
        data: folder with speech, and fusion/ravdess for what faces add.
        weights: folder of the space that is judged beside; default is the shipped one.
        cache: folder that keeps what was heard of each recording.
        seed: of cuts, codecs, noise and training.
        threads: of the encoder.
        json: print one JSON object instead of tables.
        markdown: file for the tables as Markdown.
    """
    from streams.cli._reports import check_place, show_report

    check_place(markdown)
    report = judge_search(data, weights=weights, cache=cache, seed=seed, threads=threads)
    show_report(report, markdown, json=json)


def judge_search(
    data: Path,
    *,
    weights: Path | None = None,
    cache: Path | None = None,
    seed: int = 0,
    threads: int = 1,
) -> EvaluationReport:
    """Hear, learn and ask; bars on stderr."""
    import numpy as np

    from inference.alignment.space import AlignedSpace
    from inference.evaluation.search import Acted, evaluate_search, spaces_to_learn
    from inference.experts.voice_activity import VoiceActivity
    from inference.experts.voice_encoder import INT8
    from inference.experts.voice_encoders import open_encoder
    from inference.experts.word_vectors import WordVectors
    from inference.training.action_units import read_action_units
    from inference.training.alignment.faces import seen_beside
    from inference.training.alignment.takes import edges_of, voice_takes
    from inference.training.alignment.voices import hear_voices
    from inference.training.emodb import find_clips
    from inference.training.heard_cache import HeardCache
    from inference.training.ravdess_speech import find_acted_clips

    words = WordVectors.load()
    space = AlignedSpace.load(words, weights)
    spoken, acted = find_clips(data / "speech"), find_acted_clips(data / "speech")
    table = data / "fusion" / "ravdess" / "mean_action_units.csv"
    acted = acted if table.is_file() else ()
    encoder, activity = open_encoder(INT8, threads, "cpu"), VoiceActivity.load(threads)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        listening = bar.add_task("listening", total=2 * (len(spoken) + len(acted)))
        learning = bar.add_task("learning", total=spaces_to_learn(real=bool(acted)))

        def heard() -> None:
            bar.advance(listening)

        kept = HeardCache(cache)
        emodb = hear_voices(spoken, encoder, activity, seed, EMODB_DRAWS, kept, heard)
        faces: Acted | None = None
        if acted:
            voices = hear_voices(acted, encoder, activity, seed, 1, kept, heard)
            seen = seen_beside(acted, read_action_units(table), seed=seed)
            faces = Acted(
                voice_takes(voices, edges_of(voices), seen),
                voice_takes(voices, np.array(space.inputs.edges)),
                seen.actions,
            )
        return evaluate_search(
            voice_takes(emodb, edges_of(emodb)),
            faces,
            space.towers,
            words,
            {
                "alignment": space.version,
                "words": words.version,
                "recordings": f"EmoDB {len(spoken)}, RAVDESS {len(acted)}, seed {seed}",
            },
            seed,
            on_space=lambda: bar.advance(learning),
        )
