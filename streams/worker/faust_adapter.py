"""The only module that touches Faust's private names.

Faust keeps membership, assignment, fetching, commits and rebalancing. Records bypass its
conductor, queues, streams and agents: each fetched batch goes straight to a `Feed`, and
the offset to commit comes straight from it. The reasons, each reproduced, are in
docs/decisions/0003-delivery.md; `tests/unit/test_faust_adapter.py` fails when an update
of Faust moves one of the names used here.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import faust
from faust.app.base import BootStrategy
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.types import ServiceT

from streams import topics, traces
from streams.telemetry import logger
from streams.worker.feed import Assignment, Feed, RawRecord

FETCH_MIN_BYTES: Final = 256 << 10
FETCH_MAX_WAIT_MS: Final = 100
"""Faust hard-codes 1 byte and 1500 ms: quiet partitions would be polled every 1.5 s only,
and live traffic would cost a fetch per few records."""
LOG_APPEND_TIME: Final = 1
_faust_log: Final = logging.getLogger("faust.affectstream")  # quiet below warnings, like Faust
_log = logger("worker.kafka")


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread with our fetch settings."""

    logger = _faust_log

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_min_bytes = FETCH_MIN_BYTES  # noqa: SLF001 - Faust offers no setting
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS  # noqa: SLF001 - the same
        return consumer


class _Consumer(driver.Consumer):
    """Hands whole batches to the feed and commits what the feed says is done."""

    logger = _faust_log

    generation: int | None = None
    starts: dict[TP, int]
    begun: set[TP]
    sought_back: dict[TP, int]

    def _new_consumer_thread(self) -> _ConsumerThread:
        self.starts, self.begun, self.sought_back = {}, set(), {}
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def feed(self) -> Feed:
        """The receiver, given to the app."""
        return cast("ScoringApp", self.app).feed

    # what is fetched

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        """Give every fetched batch to the feed until this consumer or its fetcher stops."""
        while not self._stopping(fetcher):
            try:
                records, _ = await self._wait_next_records(1.0)
            except asyncio.CancelledError:
                if self._stopping(fetcher) or not self.app.rebalancing:
                    raise
                # A fetch that a rebalance cancelled: Faust's fetcher would die of it for good.
                if (task := asyncio.current_task()) is not None:
                    task.uncancel()
                continue
            if self.flow_active and not self.should_stop:
                await self._deliver(records or {})
                self._report_polls()
            elif records:
                # Fetched while the flow was stopped and given to nobody: read them again.
                await self.perform_seek()
            await asyncio.sleep(0)

    def _stopping(self, fetcher: ServiceT) -> bool:
        return self.should_stop or fetcher.should_stop

    async def _deliver(self, records: Mapping[Any, list[Any]]) -> None:
        generation = self.app.consumer_generation_id
        if generation != self.generation:
            await self._begin_generation(generation)
        for raw_tp, batch in records.items():
            tp = TP(raw_tp[0], raw_tp[1])
            if self.app.consumer_generation_id != generation or not self.flow_active:
                return  # a rebalance began: everything will be read again
            if tp.topic not in topics.RECORD_TYPES:
                continue
            self._begin(tp, self.highwater(tp))
            if await self._repair_gap(tp, batch[0].offset):
                continue
            self.feed.take(
                tp.topic,
                tp.partition,
                [
                    RawRecord(
                        item.offset,
                        item.key,
                        item.value,
                        item.timestamp * 1_000_000
                        if item.timestamp_type == LOG_APPEND_TIME
                        else None,
                        traces.of_record(item.headers),
                    )
                    for item in batch
                ],
            )
            self._read_offset[tp] = batch[-1].offset
            await asyncio.sleep(0)  # commits, heartbeats and health checks get their turn

    async def _begin_generation(self, generation: int) -> None:
        """Drop the old generation's state; learn where each partition begins."""
        self.begun.clear()
        self.sought_back.clear()
        self.feed.reset(generation)
        assigned = [tp for tp in self.assignment() if tp.topic in topics.RECORD_TYPES]
        fresh = [tp for tp in assigned if self._committed_offset[tp] is None]
        earliest = await self.earliest_offsets(*fresh) if fresh else {}
        self.starts = {tp: self._committed_offset[tp] or earliest.get(tp, 0) for tp in assigned}
        self.generation = generation

    def _begin(self, tp: TP, high_watermark: int) -> None:
        if tp not in self.begun:
            self.begun.add(tp)
            start = self.starts.get(tp, 0)
            self.feed.begin(Assignment(tp.topic, tp.partition, start, high_watermark))

    async def _repair_gap(self, tp: TP, offset: int) -> bool:
        """Seek back once if records are missing; True if the batch must be read again."""
        expected = self.feed.expected(tp.topic, tp.partition)
        if expected is None or offset <= expected:
            return False
        log_start = (await self.earliest_offsets(tp))[tp]
        if log_start > expected:
            self.feed.expired(tp.topic, tp.partition, min(log_start, offset) - expected)
            return False
        if self.sought_back.get(tp) == expected:
            return False  # it stays: a hole such as a transaction marker
        self.sought_back[tp] = expected
        _log.error(
            "records_missing",
            topic=tp.topic,
            partition=tp.partition,
            expected=expected,
            found=offset,
        )
        await self.seek(tp, expected)
        return True

    def _report_polls(self) -> None:
        """Tell the feed when each partition was polled, and whether it is read to its end."""
        consumer = self._thread._consumer  # noqa: SLF001 - the poll time is offered nowhere else
        if consumer is None or self.app.consumer_generation_id != self.generation:
            return
        now_ns, wall_ms = time.monotonic_ns(), time.time() * 1_000
        for tp in self.assignment():
            if tp.topic not in topics.RECORD_TYPES:
                continue
            polled_ms, high_watermark = consumer.last_poll_timestamp(tp), consumer.highwater(tp)
            if polled_ms is None or high_watermark is None:
                continue
            self._begin(tp, high_watermark)
            position = self.feed.expected(tp.topic, tp.partition) or 0
            self.feed.observe(
                tp.topic,
                tp.partition,
                now_ns - int(max(wall_ms - polled_ms, 0.0) * 1e6),
                caught_up=position >= high_watermark,
                behind=max(high_watermark - position, 0),
            )

    # what is committed

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        tps = (TP(topic, partition) for topic, partition in self.feed.tracked())
        return (tp for tp in tps if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self.feed.committable(tp.topic, tp.partition)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's alarms follow streams and agents, of which there are none here."""


class _Transport(driver.Transport):
    """Faust's transport with our consumer."""

    Consumer = _Consumer


class _BootStrategy(BootStrategy):
    """No web server: `web_enabled=False` in the constructor has no effect."""

    enable_web = False


class ScoringApp(faust.App):
    """A Faust app whose records go to a `Feed`. It logs as Faust, not as this module."""

    logger = _faust_log
    BootStrategy = _BootStrategy
    feed: Feed

    def pause(self, ahead: Iterable[tuple[str, int]]) -> None:
        """Stop fetching these topic partitions; control is never among them."""
        self.consumer.pause_partitions({TP(*item) for item in ahead})

    def resume_all(self) -> None:
        """Fetch everything that is assigned again."""
        self.consumer.resume_partitions(self.consumer.assignment())

    def _new_transport(self) -> _Transport:
        return _Transport(self.conf.broker_consumer, self)


def scoring_app(
    feed: Feed, *, kafka: str, group: str, partitions: int, data_dir: Path
) -> ScoringApp:
    """The app with the settings that were measured; nothing connects before it starts.

    Args:
        feed: receiver of every assigned partition.
        kafka: bootstrap servers, comma-separated host:port.
        group: consumer group.
        partitions: of every input topic.
        data_dir: Faust wants a folder; nothing is kept in it.
    """
    app = ScoringApp(
        group,
        broker=";".join(f"kafka://{server}" for server in kafka.split(",")),
        store="memory://",
        datadir=data_dir,
        topic_partitions=partitions,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=1,
        processing_guarantee="at_least_once",
        stream_wait_empty=False,
        stream_buffer_maxsize=256,
        consumer_max_fetch_size=1 << 20,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        broker_commit_interval=1.0,
        broker_max_poll_interval=300.0,
        producer_max_request_size=4 << 20,
        web_bind="127.0.0.1",
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    app.feed = feed
    app.topics.add(
        app.topic(
            *topics.INPUTS,
            value_type=bytes,
            value_serializer="raw",
            key_type=bytes,
            key_serializer="raw",
        )
    )

    @app.on_partitions_revoked.connect(weak=False)
    async def _revoked(*_: object, **__: object) -> None:
        cast("_Consumer", app.consumer).generation = None
        feed.reset(-1)

    return app
