"""`affectstream demo`: everything in one process, to try things out."""

import asyncio
import signal
import sys
import tempfile
import time
import webbrowser
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter
from pydantic import SecretStr
from rich.console import Console

from inference.errors import AffectstreamError
from streams import traces
from streams.demo import BUNDLED, BUNDLED_CHANNELS
from streams.ingest.errors import MediaError
from streams.ingest.options import MediaOptions
from streams.settings import Settings, load
from streams.telemetry import configure_logging

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from streams.ingest.media import Warn
    from streams.ingest.source import FileSource

LOOPBACK: Final = "127.0.0.1"
LOOK_S: Final = 0.3
CHILD_ENDS_S: Final = 10


class DashboardDiedError(AffectstreamError):
    """The dashboard did not start."""


def demo(
    *files: Path,
    api_port: int | None = None,
    dashboard_port: int | None = None,
    for_: Annotated[float | None, Parameter(name="--for")] = None,
    open_: Annotated[bool, Parameter(name="--open", negative="--no-open")] = True,
    telephone: Annotated[bool, Parameter(negative=())] = False,
    media: Annotated[MediaOptions | None, Parameter(name="*")] = None,
) -> None:
    """Play a call, score it while it plays, and show it in the browser.

    Needs no Kafka, PostgreSQL or Redis: an embedded broker, SQLite and a cache in memory
    live in this process and end with it. Prints every score as it becomes final,
    and each alert when it fires and when it is over.

    Example: `affectstream demo interview.mp4 --for 60 --no-open`

    Args:
        files: your media; without any, a bundled call that turns angry.
        api_port: of the API; 0 takes a free one.
        dashboard_port: of the page; 0 takes a free one.
        for_: end after so many seconds; without it, Ctrl-C ends the demo.
        open_: open the page in a browser.
        telephone: play the sound as a telephone line carries it, without a camera.
        media: who is who in the files.
    """
    settings = load(api_port=api_port, dashboard_port=dashboard_port)
    configure_logging("warning", settings.log_format)
    traces.configure(settings.traces, settings.otlp_endpoint, "demo")
    options = media or MediaOptions()
    if not files:
        files, options = (BUNDLED,), replace(options, channels=BUNDLED_CHANNELS, queue="demo")
    with tempfile.TemporaryDirectory(prefix="affectstream-") as folder:
        if telephone:
            files = tuple(_over_telephone(file, Path(folder)) for file in files)
        asyncio.run(_demo(files, options, settings, seconds=for_, browse=open_))


def _over_telephone(media: Path, folder: Path) -> Path:
    """A copy of the same name in `folder`."""
    from streams.demo.telephone import over_telephone

    out = folder / f"{media.stem}.wav"
    try:
        over_telephone(media, out)
    except (OSError, ValueError) as exc:
        raise MediaError(media, f"cannot be played over a telephone ({exc})") from exc
    return out


async def _demo(
    files: Sequence[Path],
    media: MediaOptions,
    settings: Settings,
    *,
    seconds: float | None,
    browse: bool,
) -> None:
    from storage.cache import MemoryCache
    from storage.engine import open_engine
    from storage.upgrade import upgrade
    from streams.broker import EmbeddedBroker
    from streams.cli._privacy import open_eraser
    from streams.cli._scoring import open_scorer, scoring
    from streams.cli._search import open_finder
    from streams.cli._telling import open_teller
    from streams.ingest.source import FileSource
    from streams.kafka_admin import ensure_topics
    from streams.serving.access.local import only_here
    from streams.serving.api.service import build_api
    from streams.serving.server import running
    from streams.worker.kafka_output import KafkaOutput

    notes = Console(stderr=True, highlight=False, soft_wrap=True)

    def warn(line: str) -> None:
        notes.print(line, markup=False)

    media.check_for(len(files))
    options = media.source_options(settings.tenant)
    for path in files:  # what is wrong with a file should be said before anything starts
        FileSource.open(path, options, now_ns=time.time_ns(), warn=warn)
    stop = _stop_event(seconds)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="affectstream-")))
        broker = await stack.enter_async_context(EmbeddedBroker())
        settings = settings.model_copy(
            update={
                "kafka": broker.bootstrap,
                "database_url": SecretStr(f"sqlite+aiosqlite:///{folder / 'demo.db'}"),
                "cache_url": SecretStr("memory://"),
                "partitions": 4,
            }
        )
        engine = open_engine(settings.database_url.get_secret_value())
        stack.push_async_callback(engine.dispose)
        await upgrade(engine)
        cache = MemoryCache()
        api = build_api(
            engine,
            cache,
            only_here(settings.tenant),
            eraser=open_eraser(settings, engine, cache),
            finder=open_finder(settings, engine),
            k_floor=settings.k_floor,
            teller=await asyncio.to_thread(open_teller, settings, "api"),
        )
        api_url = await stack.enter_async_context(
            running(
                api.app,
                LOOPBACK,
                settings.api_port,
                option="--api-port",
                before_drain=api.feed.close,
            )
        )
        page = stack.enter_async_context(_dashboard(settings.dashboard_port, api_url))
        warn("loading the models …")
        page_url, scorer, _ = await asyncio.gather(
            page,
            asyncio.to_thread(open_scorer, settings),
            asyncio.to_thread(
                ensure_topics, broker.bootstrap, partitions=settings.partitions, replication=1
            ),
        )
        output = await stack.enter_async_context(KafkaOutput(broker.bootstrap))
        run = await stack.enter_async_context(
            scoring(
                settings, scorer=scorer, engine=engine, cache=cache, output=output, data_dir=folder
            )
        )
        warn(f"page {page_url}   API {api_url}/v1/conversations   Ctrl-C ends the demo")
        if browse:
            webbrowser.open(page_url)
        sources = [
            FileSource.open(path, options, now_ns=time.time_ns(), warn=warn, live=True)
            for path in files
        ]
        async with _beside(
            _play(sources, settings, warn), _show(engine, settings, sources, page_url)
        ):
            await run.until(stop)


def _stop_event(seconds: float | None) -> asyncio.Event:
    """Set by SIGINT, SIGTERM, or after `seconds`."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    return stop


@asynccontextmanager
async def _dashboard(port: int, api_url: str) -> AsyncIterator[str]:
    """The page as a process of its own; gives its address, and ends it on the way out."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli", "dashboard"),
        *("--dashboard-port", str(port), "--api-url", api_url),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us: we end it in order
    )
    try:
        address = (await process.stdout.readline()).decode().strip() if process.stdout else ""
        if not address:
            raise DashboardDiedError(
                f"the dashboard ended with {await process.wait()}; its reason stands above"
            )
        yield address
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), CHILD_ENDS_S)
            except TimeoutError:
                process.kill()
                await process.wait()


@asynccontextmanager
async def _beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines beside the block and cancel them when it ends."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _play(sources: Sequence["FileSource"], settings: Settings, warn: "Warn") -> None:
    """Publish every file in real time."""
    from streams.cli._scoring import gate_maker
    from streams.ingest.publisher import Publisher, PublishStats, permitted, publish
    from streams.ingest.source import records

    new_gate = gate_maker(settings)
    async with Publisher.connect(settings.kafka) as publisher:
        for source in sources:
            warn(source.summary)
        stats = PublishStats()
        await asyncio.gather(
            *(
                publish(
                    permitted(records(source, warn), new_gate(settings.tenant), stats),
                    publisher,
                    speed=1.0,
                    stats=stats,
                    on_progress=lambda _: None,
                )
                for source in sources
            )
        )
    if stats.withheld:
        warn(f"policy {settings.policy} withheld records: {stats.withheld_in_words}")


async def _show(
    engine: "AsyncEngine", settings: Settings, sources: Sequence["FileSource"], page_url: str
) -> None:
    """Print every score when it is final, and every alert when it fires and when it is over."""
    import msgspec

    from inference.contract import from_json
    from storage.alerts import AlertNews
    from storage.feed import StoredFeed
    from streams.cli._lines import alert_line, score_line

    results = Console(highlight=False, soft_wrap=True)
    zero_ns = {source.conversation: source.start_ns for source in sources}
    feed, seen = StoredFeed(engine), 0
    while True:
        events = await feed.after(seen, 100, settings.tenant)
        seen = events[-1].feed_id if events else seen
        # what ends with the call is told before its end
        for event in sorted(events, key=lambda event: event.kind == "ended"):
            if event.kind == "score":
                score = from_json(event.payload)
                results.print(score_line(score, zero_ns[score.conversation]))
            elif event.kind == "alert":
                news = msgspec.json.decode(event.payload, type=AlertNews)
                line = alert_line(news, zero_ns[event.conversation], page_url)
                if line is not None:
                    results.print(line)
            elif event.kind == "ended":
                results.print("the call is over; the page stays until Ctrl-C")
        await asyncio.sleep(LOOK_S)
