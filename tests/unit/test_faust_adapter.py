"""The private names of Faust that the adapter relies on: an update that moves one fails here."""

import inspect
from pathlib import Path

import pytest
from faust.app.base import App, BootStrategy
from faust.transport.consumer import Consumer, Fetcher
from faust.transport.drivers import aiokafka as driver

from streams.worker.faust_adapter import FETCH_MAX_WAIT_MS, FETCH_MIN_BYTES, scoring_app


@pytest.mark.parametrize(
    ("owner", "name", "arguments"),
    [
        (Consumer, "_drain_messages", ["self", "fetcher"]),
        (Consumer, "_wait_next_records", ["self", "timeout"]),
        (Consumer, "_filter_tps_with_pending_acks", ["self", "topics"]),
        (Consumer, "_new_offset", ["self", "tp"]),
        (Consumer, "perform_seek", ["self"]),
        (Consumer, "pause_partitions", ["self", "tps"]),
        (Consumer, "resume_partitions", ["self", "tps"]),
        (driver.Consumer, "_new_consumer_thread", ["self"]),
        (driver.Consumer, "verify_event_path", ["self", "now", "tp"]),
        (driver.AIOKafkaConsumerThread, "_create_worker_consumer", ["self", "transport"]),
        (App, "_new_transport", ["self"]),
    ],
)
def test_what_the_adapter_overrides_or_calls_is_still_there(
    owner: type, name: str, arguments: list[str]
) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == arguments


def test_the_fetcher_still_asks_the_consumer_to_drain() -> None:
    assert "_drain_messages(self)" in inspect.getsource(Fetcher._fetcher.fun)


def test_the_names_that_are_only_assigned_are_still_used() -> None:
    source = inspect.getsource(Consumer)
    for name in ("_committed_offset", "_read_offset", "flow_active", "_active_partitions"):
        assert name in source
    assert hasattr(App, "consumer_generation_id")
    assert hasattr(BootStrategy, "enable_web")


def test_the_app_starts_no_web_server_and_declares_no_topics(tmp_path: Path) -> None:
    app = scoring_app(
        feed=None,  # type: ignore[arg-type]  # nothing is fetched here
        kafka="127.0.0.1:1,127.0.0.1:2",
        group="g",
        partitions=4,
        data_dir=tmp_path,
    )
    assert not app.boot_strategy.enable_web
    assert not app.conf.topic_allow_declare
    assert [str(url) for url in app.conf.broker] == ["kafka://127.0.0.1:1", "kafka://127.0.0.1:2"]
    assert (FETCH_MIN_BYTES, FETCH_MAX_WAIT_MS) == (262_144, 100)
