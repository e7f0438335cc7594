"""How the live page and the live stream fare with 200 calls at one score a second each.

The API, its writer, the dashboard, the browser and the readers are processes of their own.
Prints medians over several runs: how long a key in the filter takes until it is painted, what
API and dashboard use of a core, and whether 100 readers of the stream got every event while
one of them did not read. `python benchmarks/bench_live_page.py page|stream [CALLS [RUNS]]`
measures one of the two; without arguments it measures both.
"""

import asyncio
import os
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from playwright.async_api import Page, async_playwright

CALLS = 200
RUNS = 3
READERS = 100
WARM_S = 6
PAGE_S = 20
STREAM_S = 20
PATIENCE_S = 60
SAMPLED = 97
"""One event of so many is timed."""
ID = re.compile(rb"^id: (\d+)", re.MULTILINE)
HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
HAS_BROWSER = Path(CHROMIUM).exists()
KEYS = "billing"
TICKS = os.sysconf("SC_CLK_TCK")
WATCH = """
window.painted = []; window.slow = []; window.busy = 0;
document.getElementById("live-filter").addEventListener("input", (event) => {
  requestAnimationFrame(() => {
    const channel = new MessageChannel(); // comes after the frame was painted
    channel.port1.onmessage = () => painted.push(performance.now() - event.timeStamp);
    channel.port2.postMessage(0);
  });
});
new PerformanceObserver((list) => slow.push(...list.getEntries().map((one) => one.duration)))
  .observe({ type: "event", durationThreshold: 16 });
new PerformanceObserver((list) => { for (const one of list.getEntries()) busy += one.duration; })
  .observe({ type: "longtask" });
"""


class Painted(NamedTuple):
    """One run at the page."""

    keys_ms: list[float]
    events_ms: list[float]
    """Of the browser's own Event Timing, those of 16 ms or more."""
    long_ms: float
    """In tasks of over 50 ms, in all."""
    rate: float
    """Scores that were stored in a second: fewer than the calls where the machine is busy."""
    api_share: float
    dashboard_share: float


class Heard(NamedTuple):
    """One run at the stream."""

    heard: int
    lost: int
    repeated: int
    stalled_lost: int
    api_share: float
    delay_s: float
    """Median, from the stored event to the reader."""
    late_s: float


@asynccontextmanager
async def process(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python process with its output at hand; it ends with the block."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.terminate()
        await started.wait()


async def address(started: asyncio.subprocess.Process) -> str:
    """The first line of a process."""
    if started.stdout is None:
        raise RuntimeError("the process was started without a pipe")
    return (await started.stdout.readline()).decode().strip()


def used_s(pid: int) -> float:
    """CPU time of a process so far, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@asynccontextmanager
async def load(calls: int, seconds: int) -> AsyncIterator[tuple[str, int, Path]]:
    """An API with calls that go on: its address, its process id and its database."""
    service = str(HERE / "live_service.py")
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "bench.db"
        async with process(service, "api", str(database)) as api:
            url = await address(api)
            async with process(service, "write", str(database), str(calls), str(seconds)):
                yield url, api.pid, database


async def type_into(page: Page, seconds: float) -> None:
    """Type a queue, and take it back, again and again."""
    until = time.monotonic() + seconds
    await page.focus("#live-filter")
    while time.monotonic() < until:
        for key in (*KEYS, *("Backspace",) * len(KEYS)):
            await page.keyboard.press(key)
            await asyncio.sleep(0.15)


async def page_run(calls: int) -> Painted:
    """One page, one user who types, all calls going on."""
    async with (
        load(calls, WARM_S * 3 + PAGE_S) as (url, api_pid, database),
        process("-m", "streams.cli", "dashboard", "--dashboard-port", "0", "--api-url", url) as web,
        async_playwright() as playwright,
    ):
        shown_at = await address(web)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        await page.goto(shown_at)
        await page.wait_for_function(
            f"document.querySelectorAll('.call').length === {calls}", timeout=60_000
        )
        await asyncio.sleep(WARM_S)
        await page.evaluate(WATCH)
        before = newest_id(database)
        began, cpu = time.monotonic(), (used_s(api_pid), used_s(web.pid))
        await type_into(page, PAGE_S)
        lasted = time.monotonic() - began
        shares = [
            (used_s(pid) - was) / lasted for pid, was in zip((api_pid, web.pid), cpu, strict=True)
        ]
        rate = (newest_id(database) - before) / lasted
        found = await page.evaluate("({ painted, slow, busy })")
        await browser.close()
    return Painted(found["painted"], found["slow"], found["busy"], rate, *shares)


class Reader:
    """One listener of the stream, and what it heard."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.first = 0
        """Where its stream began."""
        self.came_ns: dict[int, int] = {}
        """Wall time of some of them."""
        self._rest = b""

    async def listen(self, url: str, go: asyncio.Event | None = None) -> None:
        """Read until cancelled; with `go` nothing is read before it is set, after the head."""
        where = urlsplit(url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        try:
            writer.write(f"GET /v1/live HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
            while piece := await reader.read(2**18):
                self._take(piece)
                if go is not None and self.first:
                    await go.wait()
        finally:
            writer.close()

    def _take(self, piece: bytes) -> None:
        *frames, self._rest = (self._rest + piece).split(b"\n\n")
        for frame in frames:
            found = ID.search(frame)
            if found is None:
                continue
            if b"event: ready" in frame:
                self.first = int(found[1])
            elif b"event: score" in frame:
                self.ids.append(int(found[1]))
                if len(self.ids) % SAMPLED == 0:
                    self.came_ns[self.ids[-1]] = time.time_ns()

    def lost(self, until: int) -> int:
        """Events up to `until` that never came."""
        return len(set(range(self.first + 1, until + 1)) - set(self.ids))

    def repeated(self) -> int:
        """Events that came again."""
        return len(self.ids) - len(set(self.ids))


async def stream_run(calls: int) -> Heard:
    """Many readers, one of which does not read until all is over."""
    async with load(calls, WARM_S + STREAM_S) as (url, pid, database):
        go = asyncio.Event()
        readers, stalled = [Reader() for _ in range(READERS - 1)], Reader()
        async with asyncio.TaskGroup() as tasks:
            listening = [tasks.create_task(one.listen(url)) for one in readers]
            listening.append(tasks.create_task(stalled.listen(url, go)))
            await asyncio.sleep(WARM_S)
            began, cpu = time.monotonic(), used_s(pid)
            await asyncio.sleep(STREAM_S)
            share = (used_s(pid) - cpu) / (time.monotonic() - began)
            heard_while_stalled = statistics.median(len(one.ids) for one in readers)
            go.set()
            newest = await settled(database, [*readers, stalled])
            for task in listening:
                task.cancel()
        stored_ns = await asyncio.to_thread(stored, database)
    delays = [
        (came_ns - stored_ns[feed_id]) / 1e9
        for one in readers
        for feed_id, came_ns in one.came_ns.items()
    ]
    return Heard(
        heard=int(heard_while_stalled),
        lost=sum(one.lost(newest) for one in readers),
        repeated=sum(one.repeated() for one in (*readers, stalled)),
        stalled_lost=stalled.lost(newest),
        api_share=share,
        delay_s=statistics.median(delays),
        late_s=max(delays),
    )


async def settled(database: Path, readers: Sequence[Reader]) -> int:
    """The newest event, once every reader has it or the patience ends."""
    newest = -1
    for _ in range(PATIENCE_S):
        await asyncio.sleep(1)
        before, newest = newest, await asyncio.to_thread(newest_id, database)
        if before == newest and all(one.ids[-1:] == [newest] for one in readers):
            break
    return newest


def newest_id(database: Path) -> int:
    """Of the stored feed."""
    with sqlite3.connect(database) as connection:
        return int(connection.execute("select max(feed_id) from feed").fetchone()[0])


def stored(database: Path) -> dict[int, int]:
    """When each event was stored, by its id."""
    with sqlite3.connect(database) as connection:
        return dict(connection.execute("select feed_id, stored_ns from feed").fetchall())


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median and range."""
    middle = statistics.median(values)
    return f"{middle:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def share(values: Sequence[float], at: float) -> float:
    """The value that a share of `at` does not exceed."""
    return sorted(values)[min(len(values) - 1, int(at * len(values)))]


def tell_page(runs: Sequence[Painted], calls: int) -> None:
    """Print what the page costs."""
    print(f"live page, {calls} calls, {len(runs)} runs of {PAGE_S} s: median (range) of runs")
    keys = [one.keys_ms for one in runs]
    print(f"  scores a second             {spread([one.rate for one in runs])}")
    print(f"  keys typed                  {spread([len(one) for one in keys])}")
    for name, at in (("p50", 0.5), ("p95", 0.95)):
        print(f"  key to painted, {name}         {spread([share(one, at) for one in keys])} ms")
    print(f"  key to painted, worst       {spread([max(one) for one in keys])} ms")
    slow = [max(one.events_ms, default=0.0) for one in runs]
    print(f"  worst event by Event Timing {spread(slow)} ms")
    print(f"  in tasks over 50 ms         {spread([one.long_ms for one in runs])} ms")
    print(
        f"  API                         {spread([100 * one.api_share for one in runs])} % of a core"
    )
    used = [100 * one.dashboard_share for one in runs]
    print(f"  dashboard                   {spread(used)} % of a core")


def tell_stream(runs: Sequence[Heard], calls: int) -> None:
    """Print what the readers got."""
    print(f"live stream, {calls} calls, {READERS} readers, one stalled, {len(runs)} runs:")
    print(f"  heard by each while one stalled  {spread([one.heard for one in runs])} events")
    print(f"  lost by the others, in all       {sum(one.lost for one in runs)}")
    print(f"  repeated, in all                 {sum(one.repeated for one in runs)}")
    print(f"  lost by the stalled one          {sum(one.stalled_lost for one in runs)}")
    print(f"  stored to heard                  {spread([one.delay_s for one in runs], 2)} s")
    print(f"  the latest                       {spread([one.late_s for one in runs], 2)} s")
    used = [100 * one.api_share for one in runs]
    print(f"  API                              {spread(used)} % of a core")


async def main(which: str = "both", calls: int = CALLS, runs: int = RUNS) -> None:
    """Measure and print."""
    if which != "stream" and not HAS_BROWSER:
        print("live page: not measured, there is no chromium: apt-get install chromium")
    elif which != "stream":
        tell_page([await page_run(calls) for _ in range(runs)], calls)
    if which != "page":
        tell_stream([await stream_run(calls) for _ in range(runs)], calls)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2], *map(int, sys.argv[2:4])))
