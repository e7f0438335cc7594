"""`affectstream evaluate context`: the raw estimate against methods that remember."""

from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from inference.evaluation.report import EvaluationReport

CALLS = 25


def context(
    *,
    data: Path,
    weights: Path | None = None,
    count: int = CALLS,
    seed: int = 0,
    threads: int = 1,
    json: bool = False,
    markdown: Path | None = None,
) -> None:
    """Judge context on calls built from voices that no shipped weight has heard.

    Moods of built calls begin at once and last, as in no real one: compare methods, and expect
    less of your calls.

    Example: `affectstream evaluate context --data emodb --json`

    Args:
        data: folder with the EmoDB recordings, searched to the bottom; two speakers are used.
        weights: of the recurrent context; default is the shipped ones.
        count: how many calls.
        seed: of sentences and pauses.
        threads: of the encoder.
        json: print one JSON object instead of tables.
        markdown: file for the tables as Markdown.
    """
    from streams.cli._reports import check_place, show_report

    check_place(markdown)
    report = judge_context(data, weights, count=count, seed=seed, threads=threads)
    show_report(report, markdown, json=json)


def judge_context(
    data: Path,
    weights: Path | None = None,
    *,
    count: int = CALLS,
    seed: int = 0,
    threads: int = 1,
) -> EvaluationReport:
    """Build, hear and judge; a bar on stderr."""
    from inference.context.artefact import load_context
    from inference.context.filter import HiddenMarkovFilter
    from inference.context.smoothing import Smoothing
    from inference.evaluation.built_calls import VOICES, build_calls
    from inference.evaluation.calls import HeardCall
    from inference.evaluation.context import evaluate_context
    from inference.evaluation.heard_calls import Listeners, hear_call
    from inference.experts.line import Line
    from inference.experts.speech import SpeechExpert
    from inference.fusion.prior import DEFAULT_PRIOR
    from inference.methods import Context
    from inference.training.emodb import find_clips
    from streams.cli._context import assumed_of

    assumed = assumed_of(DEFAULT_PRIOR)
    contexts: dict[str, Context] = {
        "smoothing": Smoothing(),
        "filter": HiddenMarkovFilter(assumed),
        "recurrent": load_context(assumed, weights),
    }
    clips, listeners = find_clips(data), Listeners(SpeechExpert.load(threads), {})
    heard: dict[str, list[HeardCall]] = {line.value: [] for line in Line}
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("calling", total=count)
        for call in build_calls(
            clips, None, count=count, seed=seed, on_call=lambda: bar.advance(task)
        ):
            for line in Line:
                over_telephone = line is Line.TELEPHONE
                heard[line.value].append(
                    hear_call(call, VOICES, listeners, over_telephone=over_telephone)
                )
    return evaluate_context(
        heard,
        contexts,
        {
            "speech": listeners.shipped.version,
            "calls": f"{count}, seed {seed}, EmoDB speakers {' and '.join(VOICES.values())}",
        },
    )
