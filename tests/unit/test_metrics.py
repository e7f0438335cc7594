"""Metrics: names as Prometheus wants them, figures that are true, and nobody in a label."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import AbsenceReason, Modality
from inference.score import ModalityReport, WindowScore
from storage.conversations import read_queue
from storage.engine import open_engine
from storage.errors import StoreUnavailableError
from storage.feed import StoredFeed
from storage.results import ResultStore
from storage.system import Waiting
from storage.values import AlertState, ConversationKey, Ruling, Transition
from streams import topics
from streams.policy import Basis
from streams.serving.access.caller import everyone
from streams.serving.api.app import create_app
from streams.serving.api.health import Check
from streams.serving.health import health_app
from streams.serving.live import LiveFeed
from streams.serving.server import ListenError, running
from streams.worker.metrics import WorkerMetrics
from streams.worker.outbox_metrics import OutboxMetrics
from streams.worker.partitions import Partitions
from streams.worker.pump import PumpStats
from streams.worker.relay import Relay
from streams.worker.tally import Tally
from tests.registry import api_metrics, worker_metrics
from tests.scores import SECOND_NS, START_NS, batch, distressed

IDENTITIES = ("tenant", "conversation", "participant", "subject", "agent", "queue", "user", "key")
SECRETS = ("zq-tenant", "zq-call", "zq-who", "zq-queue")
UNITS = ("_seconds", "_bytes", "_total", "_info")
COUNTED = re.compile(
    r"_(conversations|behind|up|paused|in_a_hurry|windows|waiting|dead|listeners)$"
)


def values(families: Sequence[Metric]) -> dict[str, float]:
    """Series that are not 0, as a query would name them."""
    return {
        sample.name + "".join(f"/{value}" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if sample.value and not sample.name.endswith("_bucket")
    }


@pytest.mark.parametrize("family", [*worker_metrics(), *api_metrics()], ids=lambda one: one.name)
def test_a_name_has_our_prefix_and_a_base_unit_and_no_label_for_an_identity(
    family: Metric,
) -> None:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    assert name.startswith("affectstream_")
    assert name.endswith(UNITS) or COUNTED.search(name)
    assert not re.search(r"_(ms|ns|millis|minutes|kb|mb|percent)(_|$)", name)
    assert family.documentation.endswith(".")
    for sample in family.samples:
        assert not set(sample.labels) & set(IDENTITIES)


def stored(tally: Tally, *scores: WindowScore, transitions: tuple[Transition, ...] = ()) -> None:
    tally.stored(replace(batch(scores, None), transitions=transitions))


def test_windows_are_counted_by_what_could_be_said_of_them() -> None:
    tally = Tally(lambda: START_NS + 10 * SECOND_NS)
    unsure = distressed(1)
    unsure = msgspec.structs.replace(
        unsure, decision=msgspec.structs.replace(unsure.decision, abstained=True), partial=True
    )
    empty = msgspec.structs.replace(distressed(2), emotions=None, shed=("face", "what"))
    stored(tally, distressed(0), unsure, empty)
    found = values(list(tally.collect()))
    prefix = "affectstream_worker_"
    assert found[f"{prefix}windows_stored_total/scored"] == 1
    assert found[f"{prefix}windows_stored_total/abstained"] == 1
    assert found[f"{prefix}windows_stored_total/empty"] == 1
    assert found[f"{prefix}windows_partial_total"] == 1
    assert found[f"{prefix}windows_shed_total/face"] == 1
    assert found[f"{prefix}windows_shed_total/other"] == 1
    assert found[f"{prefix}score_delay_seconds_count"] == 3
    assert found[f"{prefix}score_delay_seconds_sum"] == 7 + 6 + 5


def test_a_modality_is_present_or_absent_for_a_reason() -> None:
    tally = Tally()
    late = msgspec.structs.replace(
        distressed(0),
        modalities={
            Modality.SPEECH: ModalityReport(present=False, reason=AbsenceReason.LATE),
            Modality.TEXT: ModalityReport(present=False),
            Modality.FACE: ModalityReport(present=True, weight=1.0),
        },
    )
    stored(tally, late)
    found = values(list(tally.collect()))
    name = "affectstream_worker_modality_windows_total"
    assert {key for key in found if key.startswith(name)} == {
        f"{name}/speech/late",
        f"{name}/text/failed",
        f"{name}/face/present",
    }


def test_every_series_is_there_before_anything_happened() -> None:
    samples = {
        (sample.name, *sample.labels.values())
        for family in Tally().collect()
        for sample in family.samples
    }
    assert ("affectstream_worker_modality_windows_total", "text", "not_permitted") in samples
    assert ("affectstream_worker_windows_shed_total", "face") in samples
    assert ("affectstream_worker_alerts_fired_total", "sharp-rise", "critical") in samples
    assert ("affectstream_worker_policy_decisions_total", "face", "no_notice") in samples


def test_alerts_are_counted_as_they_begin_and_no_name_that_a_tenant_chose_is_told() -> None:
    tally = Tally()
    step = Transition(
        alert="a", rule="sharp-rise", rule_version=0, severity="warning", metric="change",
        state=AlertState.FIRING, before=AlertState.PENDING, at_ns=1, pending_ns=0, fired_ns=1,
    )  # fmt: skip
    pending = replace(step, state=AlertState.PENDING, before=AlertState.OK)
    again = replace(step, before=AlertState.RESOLVING)
    own = replace(step, rule="zq-rule", severity="zq-severity")
    stored(tally, distressed(0), transitions=(pending, step, again, own))
    name = "affectstream_worker_alerts_fired_total"
    found = {key: count for key, count in values(list(tally.collect())).items() if name in key}
    assert found == {f"{name}/sharp-rise/warning": 1, f"{name}/other/other": 1}


def test_decisions_are_counted_by_modality_and_basis_and_never_by_reason() -> None:
    tally = Tally()
    ruling = Ruling(
        participant="zq-who", modality=Modality.FACE, at_ns=0, allowed=False, reason="zq-reason",
        profile="eu", facts={}, basis=Basis.NO_NOTICE,
    )  # fmt: skip
    tally.decided([ruling, ruling, replace(ruling, basis="zq-basis")])
    name = "affectstream_worker_policy_decisions_total"
    found = {key: count for key, count in values(list(tally.collect())).items() if name in key}
    assert found == {f"{name}/face/no_notice": 2, f"{name}/face/other": 1}


def test_dead_letters_to_targets_that_do_not_exist_have_one_series_and_no_other() -> None:
    samples = {
        (sample.name, sample.labels["sink"]) for family in worker_metrics()
        for sample in family.samples if sample.name.startswith("affectstream_relay_")
    }  # fmt: skip
    assert samples == {
        ("affectstream_relay_delivered_total", "kafka"),
        ("affectstream_relay_sink_up", "kafka"),
        ("affectstream_relay_dead_total", "kafka"),
        ("affectstream_relay_dead_total", "unknown"),
    }


def test_a_batch_is_measured() -> None:
    tally = Tally()
    tally.scored(16, 0.5)
    found = values(list(tally.collect()))
    assert found["affectstream_worker_batch_windows_sum"] == 16
    assert found["affectstream_worker_batch_seconds_sum"] == 0.5


def test_records_behind_are_summed_over_partitions_and_forgotten_with_them() -> None:
    partitions = Partitions(
        cast("Any", lambda: SimpleNamespace(observe=lambda *_, **__: None)), count=2
    )
    for partition, behind in ((0, 3), (1, 4), (0, 2)):
        partitions.observe(topics.AUDIO, partition, 1, caught_up=False, behind=behind)
    assert partitions.records_behind == dict.fromkeys(topics.INPUTS, 0) | {topics.AUDIO: 6}
    partitions.reset(2)
    assert partitions.records_behind == dict.fromkeys(topics.INPUTS, 0)


async def test_the_outbox_is_read_when_it_is_asked_for(engine: AsyncEngine) -> None:
    metrics = OutboxMetrics(engine, lambda: START_NS + 5 * SECOND_NS)
    assert values(list(metrics.collect())) == {}
    await metrics.refresh()
    names = {sample.labels["sink"] for family in metrics.collect() for sample in family.samples}
    assert names == {"kafka", "cache", "feed", "unknown"}
    await ResultStore(engine).commit([batch([distressed(0), distressed(1)], None)])
    await metrics.refresh()
    found = values(list(metrics.collect()))
    assert found["affectstream_outbox_waiting/kafka"] == 2
    assert found["affectstream_outbox_oldest_seconds/kafka"] == 5


async def test_a_sink_that_only_a_rule_names_is_in_no_label(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def outbox(_: AsyncEngine) -> dict[str, Waiting]:
        return {
            "webhook:crm": Waiting(1, START_NS, 0),
            "webhook:zq-1": Waiting(2, START_NS + SECOND_NS, 0),
            "webhook:zq-2": Waiting(0, None, 5),
        }

    monkeypatch.setattr("streams.worker.outbox_metrics.read_outbox", outbox)
    metrics = OutboxMetrics(engine, lambda: START_NS + 5 * SECOND_NS, targets=["webhook:crm"])
    await metrics.refresh()
    assert values(list(metrics.collect())) == {
        "affectstream_outbox_waiting/webhook:crm": 1,
        "affectstream_outbox_oldest_seconds/webhook:crm": 5,
        "affectstream_outbox_waiting/unknown": 2,
        "affectstream_outbox_oldest_seconds/unknown": 4,
        "affectstream_outbox_dead/unknown": 5,
    }


async def test_an_outbox_that_cannot_be_read_shows_no_old_figures() -> None:
    engine = open_engine("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    metrics = OutboxMetrics(engine)
    metrics._outbox = {}
    with pytest.raises(StoreUnavailableError):
        await metrics.refresh()
    assert metrics._outbox is None
    await engine.dispose()


async def test_a_scrape_asks_the_checks_and_outlives_what_fails() -> None:
    async def broken() -> None:
        raise StoreUnavailableError("away")

    async def crashing() -> None:
        raise ZeroDivisionError

    async def fine() -> None:
        return

    checks = (Check("database", broken), Check("cache", fine))
    app = health_app(checks, CollectorRegistry(), (broken, crashing))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://worker"
    ) as client:
        text = (await client.get("/metrics")).text
    assert 'affectstream_check_up{check="database"} 0.0' in text
    assert 'affectstream_check_up{check="cache"} 1.0' in text
    assert "refresh" not in text


async def test_a_worker_answers_beyond_loopback_with_health_and_metrics_alone() -> None:
    app = health_app((), CollectorRegistry(), ())
    anywhere = "0.0.0.0"
    async with running(app, anywhere, 0, option="--worker-port", anywhere=True) as url:
        here = url.replace(anywhere, "127.0.0.1")
        async with httpx.AsyncClient(base_url=here) as client:
            for path, status in (("/metrics", 200), ("/healthz", 200), ("/v1/conversations", 404)):
                assert (await client.get(path)).status_code == status
    with pytest.raises(ListenError, match="refusing to listen"):
        async with running(app, anywhere, 0, option="--worker-port"):
            pass


async def test_no_label_is_ever_an_id_that_went_through(engine: AsyncEngine) -> None:
    """Unusual ids through storage, relay, tally and every kind of request; then a search."""
    tenant, conversation, participant, queue = SECRETS
    score = msgspec.structs.replace(
        distressed(0, conversation=conversation, participant=participant), tenant=tenant
    )
    whole = batch([score], None, queue=queue)
    await ResultStore(engine).commit([whole])
    stats = PumpStats()
    stats.tally.stored(whole)
    cache = SimpleNamespace(put=nothing, publish=nothing)
    relay = Relay(engine, cast("Any", cache), cast("Any", SimpleNamespace(publish=nothing)))
    for sink in relay.sinks:
        await relay.serve(sink)
    worker = SimpleNamespace(
        pump=SimpleNamespace(stats=stats, hurry=False),
        partitions=Partitions(cast("Any", None), count=1),
        paused=False,
    )
    outbox = OutboxMetrics(engine)
    registry = CollectorRegistry()
    registry.register(WorkerMetrics(cast("Any", worker), relay))
    registry.register(outbox)
    await outbox.refresh()

    async def queue_of(key: ConversationKey) -> str | None:
        return await read_queue(engine, key)

    app = create_app(
        engine=engine,
        authenticate=everyone(tenant),
        feed=LiveFeed(StoredFeed(engine), queue_of),
        registry=registry,
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://api"
    ) as client:
        for path in (
            f"/v1/conversations/{conversation}",
            f"/v1/conversations/{conversation}/scores?participant={participant}",
            f"/v1/conversations?queue={queue}",
            f"/v1/conversations/{conversation}x",
            f"/{tenant}/{participant}",
            f"/v1/system?tenant={tenant}",
        ):
            await client.get(path)
        await client.request(tenant.upper(), "/v1/conversations")
        text = (await client.get("/metrics")).text
    assert 'affectstream_worker_windows_stored_total{result="scored"} 1.0' in text
    assert 'affectstream_relay_delivered_total{sink="kafka"} 1.0' in text
    for secret in SECRETS:
        assert secret not in text.lower()


async def nothing(*_: Any, **__: Any) -> None:
    await asyncio.sleep(0)
