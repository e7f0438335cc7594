"""`affectstream score`: a media file without Kafka, a database or a cache."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from streams.ingest.errors import OptionError
from streams.ingest.options import MediaOptions
from streams.settings import FusionName


def score(
    *files: Path,
    json: bool = False,
    fusion: FusionName | None = None,
    fusion_weights: Path | None = None,
    media: Annotated[MediaOptions | None, Parameter(name="*")] = None,
) -> None:
    """Score media files: the decoding, windows, policy and models of the service.

    Example: `affectstream score call.wav --transcript call.stm --json`

    Args:
        files: any media that FFmpeg reads.
        json: print one score a line as JSON, and nothing else on standard output.
        fusion: how experts are brought together, instead of what the settings say.
        fusion_weights: folder of learned fusion, instead of what the settings say.
        media: who is who in the files.
    """
    from inference.contract import to_json
    from storage.values import LIVE_RUN
    from streams.cli._lines import score_line
    from streams.cli._scoring import fused_by, gate_maker, open_aligner, open_scorer
    from streams.cli._start import read_settings
    from streams.ingest.publisher import PublishStats, permitted
    from streams.ingest.source import FileSource, records
    from streams.offline import scores

    if not files:
        raise OptionError("name at least one media file")
    settings = fused_by(read_settings(), fusion, fusion_weights)
    media = media or MediaOptions()
    media.check_for(len(files))
    notes = Console(stderr=True, highlight=False, soft_wrap=True)

    def warn(line: str) -> None:
        notes.print(line, markup=False)

    options = media.source_options(settings.tenant)
    sources = [FileSource.open(path, options, now_ns=time.time_ns(), warn=warn) for path in files]
    scorer = open_scorer(settings)
    results = Console(highlight=False, soft_wrap=True)
    for source in sources:
        warn(source.summary)
        stats = PublishStats()
        timed = permitted(records(source, warn), gate_maker(settings)(settings.tenant), stats)
        aligner = open_aligner(settings, scorer, LIVE_RUN)
        scored = 0
        for item in scores((one.record for one in timed), aligner, scorer):
            scored += 1
            if json:
                print(to_json(item).decode(), flush=True)  # noqa: T201 - the command's result
            else:
                results.print(score_line(item, source.start_ns))
        if stats.withheld:
            held = stats.withheld_in_words
            warn(f"{source.media.path}: policy {settings.policy} withheld records: {held}")
        if not scored:
            warn(f"{source.media.path}: no scores: policy {settings.policy} permits none of it")
