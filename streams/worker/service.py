"""A worker's life: wait for the broker, run, watch itself, drain."""

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from inference.errors import AffectstreamError
from inference.labels import Modality
from inference.units import MS_NS, SECOND_NS
from streams.records import Track
from streams.settings import Settings
from streams.telemetry import logger
from streams.windows.aligner import Aligner, Gate, SubjectDigest
from streams.windows.grid import WindowGrid
from streams.windows.participant import Timing
from streams.worker.dead_letters import DeadLetterSink
from streams.worker.faust_adapter import ScoringApp, scoring_app
from streams.worker.partitions import Partitions
from streams.worker.pump import Live, PolicyRecords, Pump, Results
from streams.worker.scoring_thread import ScoringThread

WATCH_S: Final = 1.0
STALLED_NS: Final = 120 * SECOND_NS
"""Work or polls that stand still this long, with database and broker up, never move again."""
UNREADY_POLL_NS: Final = 10 * SECOND_NS
HURRY_NS: Final = 2 * SECOND_NS
_log = logger("worker")


class WorkerDiedError(AffectstreamError):
    """The worker cannot go on; a supervisor starts it again, and nothing is lost."""


class NotReadyError(AffectstreamError):
    """Something the worker waits for is away."""


class JoiningGroupError(NotReadyError):
    """The group of the workers has not given this one its partitions yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What a worker reads and how it cuts it."""

    kafka: str
    group: str
    partitions: int
    run: str
    grid: WindowGrid
    timing: Timing
    max_batch: int
    memory_budget_bytes: int
    data_dir: Path

    @classmethod
    def of(cls, settings: Settings, *, run: str, data_dir: Path) -> Self:
        """Of the settings, in nanoseconds and bytes."""
        return cls(
            kafka=settings.kafka,
            group=settings.group,
            partitions=settings.partitions,
            run=run,
            grid=grid(settings),
            timing=timing(settings),
            max_batch=settings.max_batch,
            memory_budget_bytes=settings.memory_budget_mb << 20,
            data_dir=data_dir,
        )


def grid(settings: Settings) -> WindowGrid:
    """The windows that the settings ask for."""
    return WindowGrid(settings.window_ms * MS_NS, settings.hop_ms * MS_NS)


def timing(settings: Settings) -> Timing:
    """The waits that the settings ask for."""
    media_ns = settings.wait_media_ms * MS_NS
    return Timing(
        disorder_ns=settings.disorder_ms * MS_NS,
        wait_ns={
            Track.AUDIO: media_ns,
            Track.FRAMES: media_ns,
            Track.TRANSCRIPTS: settings.wait_transcripts_ms * MS_NS,
        },
        session_gap_ns=int(settings.session_gap_s * SECOND_NS),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who may be analysed, and where that is put on record."""

    new_gate: Callable[[str], Gate]
    """A gate for one conversation of a tenant."""
    digest: SubjectDigest
    """Of a subject of a tenant, who is stored as that only."""
    records: PolicyRecords


class Worker:
    """Consumes, scores and stores until it is cancelled.

    Args:
        options: what to read.
        scoring: the thread that runs the experts.
        look_back_ns: of each modality, as its expert declares it.
        policy: who may be analysed, and where that is put on record.
        results: where final scores go.
        sink: where records without a window go.
        live: where provisional scores go; None makes none.
    """

    def __init__(
        self,
        options: WorkerOptions,
        *,
        scoring: ScoringThread,
        look_back_ns: Mapping[Modality, int],
        policy: Policy,
        results: Results,
        sink: DeadLetterSink,
        live: Live | None,
    ) -> None:
        self.options = options
        self.partitions = Partitions(
            lambda: Aligner(
                run=options.run,
                grid=options.grid,
                timing=options.timing,
                look_back_ns=look_back_ns,
                new_gate=policy.new_gate,
                digest=policy.digest,
            ),
            count=options.partitions,
        )
        self.pump = Pump(
            self.partitions,
            run=options.run,
            results=results,
            policy=policy.records,
            scoring=scoring,
            sink=sink,
            live=live,
            max_batch=options.max_batch,
        )
        self._app: ScoringApp | None = None
        self._over_budget_since_ns: int | None = None

    async def run(self) -> None:
        """Run until cancelled, then commit what is done and leave the group.

        Raises WorkerDiedError (in an ExceptionGroup) when it cannot go on.
        """
        app = self._app = scoring_app(
            self.partitions,
            kafka=self.options.kafka,
            group=self.options.group,
            partitions=self.options.partitions,
            data_dir=self.options.data_dir,
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.pump.run(), name="pump")
                tasks.create_task(self._watch(app), name="watch")
                tasks.create_task(app.start(), name="faust")
        finally:
            await app.stop()
            self._app = None

    @property
    def paused(self) -> bool:
        """Whether topics that are ahead are not read, for want of memory."""
        return self._over_budget_since_ns is not None

    # what health asks

    async def check_broker(self) -> None:
        """Raise NotReadyError unless the broker answered a poll lately."""
        polled_ns = self.partitions.latest_poll_ns
        if polled_ns is None:
            raise JoiningGroupError("no partition was read yet: joining the group")
        quiet_ns = time.monotonic_ns() - polled_ns
        if quiet_ns > UNREADY_POLL_NS:
            raise NotReadyError(
                f"{self.options.kafka} has not answered for {quiet_ns / 1e9:.0f} s; waiting"
            )

    async def check_database(self) -> None:
        """Raise NotReadyError while the last call to the database failed."""
        down = self.pump.stats.database_down
        if down is not None:
            raise NotReadyError(f"{down}; waiting")

    # watching itself

    async def _watch(self, app: ScoringApp) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            if app.crashed:
                raise WorkerDiedError(f"the Kafka consumer crashed: {app.crash_reason!r}")
            self._relieve(app, time.monotonic_ns())
            await self._check_liveness(time.monotonic_ns())

    async def _check_liveness(self, now_ns: int) -> None:
        """A worker that looks alive and does nothing is worse than a dead one."""
        stats = self.pump.stats
        since_ns = stats.oldest_work_ns
        if since_ns is not None and stats.database_down is None and now_ns - since_ns > STALLED_NS:
            raise WorkerDiedError(f"windows wait for {(now_ns - since_ns) / 1e9:.0f} s")
        polled_ns = self.partitions.latest_poll_ns
        if polled_ns is None or now_ns - polled_ns < STALLED_NS:
            return
        if await asyncio.to_thread(_reachable, self.options.kafka):
            raise WorkerDiedError(
                f"nothing was read for {(now_ns - polled_ns) / 1e9:.0f} s although "
                f"{self.options.kafka} accepts connections"
            )

    def _relieve(self, app: ScoringApp, now_ns: int) -> None:
        """Keep open windows within the memory budget: pause what is ahead, then hurry."""
        held, budget = self.partitions.held_bytes, self.options.memory_budget_bytes
        if held <= budget // 2:
            if self._over_budget_since_ns is not None:
                app.resume_all()
                _log.info("resumed", held_bytes=held)
            self._over_budget_since_ns, self.pump.hurry = None, False
        elif held > budget:
            app.pause(self.partitions.ahead())
            if self._over_budget_since_ns is None:
                self._over_budget_since_ns = now_ns
                _log.warning("paused", held_bytes=held, budget_bytes=budget)
            self.pump.hurry = now_ns - self._over_budget_since_ns > HURRY_NS


def _reachable(bootstrap: str) -> bool:
    for server in bootstrap.split(","):
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
        except OSError:
            continue
        return True
    return False
