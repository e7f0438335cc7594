"""`affectstream evaluate methods`: every way of fusing on the same material, and the page of it."""

import os
import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TaskID

if TYPE_CHECKING:
    from inference.evaluation.fusion_crema import Votes
    from inference.evaluation.learned_rows import LearnedRecipe
    from inference.evaluation.methods.compare import Material
    from inference.evaluation.methods.results import Cost, MethodsResults, Origin, Section
    from inference.training.paired import Pairs

PARTS: Final = ("posteriors", "pairs", "votes", "pseudo", "costs")
IMAGES: Final = "images"


def methods(
    *,
    data: Path | None = None,
    out: Path = Path("docs"),
    only: str = "",
    seeds: int = 5,
    cache: Path | None = None,
    threads: int = 1,
    report: Sequence[Path] = (),
    json: bool = False,
) -> None:
    """Compare every way of fusing; writes methods.json, methods.md and pictures.

    About 15 minutes on one core, once recordings are heard. Without --data the page is written
    again from the methods.json that lies in --out.

    Example: `affectstream evaluate methods --data corpora --out docs`

    Args:
        data: folder with speech/ravdess, fusion and fusion/ravdess.
        out: folder for the page; the pictures go into its folder `images`.
        only: some of posteriors, pairs, votes, pseudo, costs, comma-separated; the others stay
            as methods.json has them.
        seeds: of each learned method.
        cache: folder that keeps what was heard of each recording.
        threads: of the encoder.
        report: what `evaluate search`, `imputation`, `narrator` or `context` printed with --json,
            to be shown on the same page. May be given several times.
        json: print the results too.
    """
    import msgspec

    from inference.evaluation.methods.others import read_section
    from inference.evaluation.methods.results import RESULTS_FILE, read_results
    from streams.cli._names import chosen

    parts = chosen(only, {name: name for name in PARTS})
    if data is None:
        results = read_results(out)
    else:
        kept = read_results(out) if only and (out / RESULTS_FILE).is_file() else None
        results = _measured(data, parts, seeds, cache, threads, kept, out)
    sections = [read_section(path) for path in report]
    write_page(results, out)
    for section in sections:
        results = add_section(section, out)
    if json:
        print(msgspec.json.encode(results).decode())  # noqa: T201 - a result for programs


def add_section(section: "Section", out: Path) -> "MethodsResults":
    """Put the report of another evaluation into the results in `out`, and write the page again."""
    from inference.evaluation.methods.results import read_results

    results = read_results(out).with_section(section)
    results.save(out)
    write_page(results, out)
    return results


def write_page(results: "MethodsResults", out: Path) -> None:
    """Write methods.md, with new pictures where matplotlib is installed."""
    from inference.evaluation.methods.page import PAGE_FILE, render
    from inference.evaluation.methods.plots import draw, kept
    from inference.evaluation.plots import PlotsError
    from streams.cli._reports import write_text

    images = out / IMAGES
    try:
        paths = draw(results, images)
    except PlotsError as exc:
        Console(stderr=True).print(f"no new pictures: {exc}", markup=False, highlight=False)
        paths = kept(results, images)
    pictures = {name: f"{IMAGES}/{path.name}" for name, path in paths.items()}
    write_text(out / PAGE_FILE, render(results, pictures), "--out")


def _measured(
    data: Path,
    parts: list[str],
    seeds: int,
    cache: Path | None,
    threads: int,
    kept: "MethodsResults | None",
    out: Path,
) -> "MethodsResults":
    """Measure part by part; each is kept as soon as it is there."""
    from inference.evaluation.methods.compare import LEARNED, compare, runs
    from inference.evaluation.methods.pseudo import compare_pseudo
    from inference.evaluation.methods.results import MethodsResults
    from streams.cli.evaluate_fusion import recipe

    origin = _origin(seeds)
    results = MethodsResults(
        origin=origin,
        comparisons=kept.comparisons if kept else [],
        costs=kept.costs if kept else [],
        sections=kept.sections if kept else [],
    )
    out.mkdir(parents=True, exist_ok=True)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        for part in parts:
            if part == "costs":
                results = _with_costs(results, _costs())
            elif part == "pseudo":
                task = bar.add_task(part, total=2 * len(LEARNED) * seeds)
                section = compare_pseudo(_votes(data), _learned(), seeds, _advance(bar, task))
                results = results.with_section(section)
            else:
                material = _material(part, data, cache, threads, bar)
                task = bar.add_task(part, total=runs(seeds))
                comparison = compare(material, recipe, seeds=seeds, on_run=_advance(bar, task))  # type: ignore[arg-type]
                results = results.with_comparison(comparison)
            results.save(out)
    return results


def _advance(bar: Progress, task: TaskID) -> Callable[[], None]:
    return lambda: bar.advance(task)


def _material(part: str, data: Path, cache: Path | None, threads: int, bar: Progress) -> "Material":
    from inference.evaluation.fusion_ravdess import read_posteriors
    from inference.evaluation.methods.compare import of_pairs, of_posteriors, of_votes

    if part == "posteriors":
        return of_posteriors(read_posteriors(data / "fusion/ravdess"))
    if part == "pairs":
        return of_pairs(_pairs(data, cache, threads, bar))
    return of_votes(_votes(data))


def _votes(data: Path) -> "Votes":
    from inference.evaluation.fusion_crema import read_votes

    return read_votes(data / "fusion")


def _learned() -> "list[LearnedRecipe]":
    from inference.evaluation.learned_rows import LearnedRecipe
    from inference.evaluation.methods.compare import LEARNED

    return [LearnedRecipe(name) for name in LEARNED]


def _pairs(data: Path, cache: Path | None, threads: int, bar: Progress) -> "Pairs":
    from inference.experts.speech import SpeechExpert
    from inference.training.heard_cache import HeardCache
    from inference.training.paired import real_pairs
    from inference.training.ravdess_speech import find_acted_clips

    clips = find_acted_clips(data / "speech/ravdess")
    listener = SpeechExpert.load(threads)
    task = bar.add_task("listening", total=len(clips))
    return real_pairs(
        clips,
        data / "fusion/ravdess/mean_action_units.csv",
        listener.encoder,
        listener.voice_activity,
        cache=HeardCache(cache),
        on_clip=lambda: bar.advance(task),
    )


def _costs() -> "list[Cost]":
    from inference.evaluation.methods.cost import measure
    from inference.fusion.artefact import WEIGHTS, FusionArtefact
    from inference.fusion.learned_artefact import LEARNED_WEIGHTS, load_learned

    artefact = FusionArtefact.load()
    core = artefact.fuser("late")
    return measure(
        {
            "late": (core, WEIGHTS),
            "adaptive": (artefact.fuser("adaptive"), WEIGHTS),
            **{
                name: (load_learned(name, core), LEARNED_WEIGHTS / name)
                for name in ("feature", "attention", "hybrid", "evidential")
            },
        }
    )


def _with_costs(results: "MethodsResults", costs: "list[Cost]") -> "MethodsResults":
    import msgspec

    return msgspec.structs.replace(results, costs=costs)


def _origin(seeds: int) -> "Origin":
    from inference.evaluation.methods.results import Origin
    from streams.cli._cards import commit

    return Origin(
        date=datetime.now(UTC).date().isoformat(),
        commit=commit(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        command=f"affectstream evaluate methods --data DIR --seeds {seeds}",
    )
