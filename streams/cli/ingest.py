"""`affectstream ingest`: media files to Kafka, as live sources would send them."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from streams.ingest.errors import OptionError
from streams.ingest.options import MediaOptions
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.ingest.source import FileSource


def ingest(
    *files: Path,
    speed: str = "1",
    media: Annotated[MediaOptions | None, Parameter(name="*")] = None,
) -> None:
    """Publish media files to Kafka; prints the id of each conversation.

    Example: `affectstream ingest call.wav --channels customer,agent --speed 10`

    Args:
        files: any media that FFmpeg reads, each a conversation of its own.
        speed: 1 is real time; `max` as fast as Kafka takes it.
        media: who is who in the files.
    """
    from streams.cli._start import read_settings

    settings = read_settings(service="ingest")
    if not files:
        raise OptionError("name at least one media file")
    asyncio.run(_ingest(files, settings, media or MediaOptions(), _speed(speed)))


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise OptionError(f"--speed {text}: give a number above 0, or max")
    return speed


async def _ingest(
    files: Sequence[Path], settings: Settings, media: MediaOptions, speed: float | None
) -> None:
    from streams.cli._scoring import gate_maker
    from streams.ingest.publisher import (
        Publisher,
        PublishStats,
        check_clock,
        permitted,
        publish,
    )
    from streams.ingest.source import FileSource, records
    from streams.kafka_admin import check_topics

    media.check_for(len(files))
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    now_ns = time.time_ns()
    options = media.source_options(settings.tenant)

    def warn(line: str) -> None:
        console.print(line, markup=False)

    sources = [
        FileSource.open(path, options, now_ns=now_ns, warn=warn, live=speed == 1) for path in files
    ]
    for source in sources:
        check_clock(source, speed, now_ns)
    await asyncio.to_thread(check_topics, settings.kafka, partitions=settings.partitions)
    new_gate = gate_maker(settings)
    stats = [PublishStats() for _ in sources]
    with _progress(console) as progress:
        bars = [_bar(progress, source) for source in sources]

        async def one(number: int, publisher: Publisher) -> None:
            source = sources[number]
            await publish(
                permitted(records(source, warn), new_gate(settings.tenant), stats[number]),
                publisher,
                speed=speed,
                stats=stats[number],
                on_progress=lambda at_ns: progress.update(
                    bars[number], completed=at_ns - source.start_ns
                ),
            )

        async with Publisher.connect(settings.kafka) as publisher:
            for source in sources:
                console.print(source.summary, markup=False)
                print(source.conversation, flush=True)  # noqa: T201 - the command's result
            await asyncio.gather(*(one(number, publisher) for number in range(len(sources))))
    for source, counted in zip(sources, stats, strict=True):
        held = counted.withheld_in_words
        policy = f"; policy {settings.policy} withheld records: {held}" if held else ""
        console.print(f"{source.media.path}: {counted.sent} records sent{policy}", markup=False)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console
    )


def _bar(progress: Progress, source: "FileSource") -> TaskID:
    return progress.add_task(source.media.path.name, total=source.media.duration_ns)
