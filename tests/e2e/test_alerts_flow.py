"""Calls that turn angry, a receiver that is away, a worker that is killed, a customer who
withdraws consent, and an erasure: on the real services, by the commands of the product."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from kafka import KafkaProducer

from inference.contract import from_json
from inference.score import WindowScore
from inference.units import SECOND_NS
from storage.engine import open_engine
from storage.rules import put_rule, read_every_rule
from storage.schema import (
    alert_events,
    alerts,
    consents,
    conversations,
    deliveries,
    feed,
    metadata,
    outbox,
    policy_decisions,
    window_scores,
)
from storage.scores import read_scores
from storage.values import ConversationFacts, ConversationKey, ParticipantKey, Transition
from streams import topics
from streams.alerts.book import RuleBook
from streams.alerts.machine import advance, end
from streams.alerts.rule import plain, shipped_rules
from streams.demo import BUNDLED, BUNDLED_CHANNELS
from streams.ingest.options import MediaOptions
from streams.ingest.source import FileSource, Timed, records
from streams.records import ControlEvent, ControlKind, encode
from tests.e2e.receiver import SECRET, Heard, receiver
from tests.e2e.running import Deployment, until
from tests.e2e.test_flow import check_everything_agrees, new_records, stored
from tests.integration.test_erasure import keys_and_values, mentions

WHOLE, LEFT = "call-whole", "call-left"
"""A call that nothing happens to, and one whose customer takes consent back."""
RULE, SINK = "sustained-distress", "webhook:crm"
LEFT_AT_S = 46
"""Seconds into the call: after its alerts fired."""
KNOWN_AT_S = 52
"""So much of it was scored before anybody said so."""
SENT_S = 60
"""So much of it was sent then."""
LONG_AGO_NS = 1_700_000_000 * SECOND_NS
OPTIONS = ("--channels", BUNDLED_CHANNELS)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass
class Flow:
    """A deployment after both calls, and what others heard of it."""

    deployment: Deployment
    heard: Heard
    published: list[Any]
    """Records of `affect.alerts.v1`."""

    def rows(self, table: Any, conversation: str) -> list[dict[str, Any]]:
        rows = stored(self.deployment, table)
        return [row for row in rows if row["conversation"] == conversation]

    def started_ns(self, conversation: str) -> int:
        (row,) = self.rows(conversations, conversation)
        return int(row["started_ns"])


def test_alerts_withdrawal_and_erasure_hold_through_a_killed_worker(
    deployment: Deployment,
) -> None:
    flow = play(deployment)
    check_alerts_are_those_of_the_file_at_rest(flow)
    check_everybody_heard_of_each_alert_once(flow)
    check_nothing_is_left_of_what_was_withdrawn(flow)
    check_an_erasure_leaves_no_row_and_no_key(flow)


def play(deployment: Deployment) -> Flow:
    """The worker dies when the first alert fires; another one does the rest."""
    port = free_port()
    hook = {"crm": {"url": f"http://127.0.0.1:{port}/hook", "secret": SECRET}}
    deployment.settings["AFFECTSTREAM_WEBHOOKS"] = json.dumps(hook)
    asyncio.run(tell_the_webhook(deployment))
    before = deployment.ends([topics.ALERTS])
    with ExitStack() as running:
        first = running.enter_context(deployment.started("worker", name="first"))
        sender = running.enter_context(ingest(deployment, WHOLE))
        until(lambda: bool(stored(deployment, alerts)), "an alert fired", first)
        first.kill()
        first.wait()
        second = running.enter_context(deployment.started("worker", name="second"))
        call = FileSource.open(
            BUNDLED,
            MediaOptions(channels=BUNDLED_CHANNELS, conversation=LEFT).source_options("acme"),
            now_ns=time.time_ns(),
            warn=print,
        )
        end_ns = call.start_ns + SENT_S * SECOND_NS
        late = publish(deployment, records(call, print), end_ns)
        until(lambda: scored_s(deployment, LEFT) >= KNOWN_AT_S, "most of a call scored", second)
        publish(deployment, [withdrawal(call.start_ns)])
        publish(deployment, late)
        until(lambda: tried(deployment), "an attempt to tell the receiver", second)
        heard = running.enter_context(receiver(port))
        assert sender.wait(120) == 0
        until(lambda: over(deployment), "both calls ended and everybody told", second)
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 0
    return Flow(deployment, heard, new_records(deployment, [topics.ALERTS], before))


def check_alerts_are_those_of_the_file_at_rest(flow: Flow) -> None:
    """Every step of every rule, whoever scored the windows before and after the kill."""
    check_everything_agrees(flow.deployment, [BUNDLED], [WHOLE], OPTIONS)
    expected = {plain_step(one) for one in replay(flow)}
    rows = flow.rows(alert_events, WHOLE)
    assert {step(row) for row in rows} == expected
    assert len(rows) == len(expected)
    fired = {(row["alert"], row["rule"], row["pending_ns"]) for row in flow.rows(alerts, WHOLE)}
    assert fired == {(row["alert"], row["rule"], since(rows, row)) for row in rows if fires(row)}
    assert RULE in {rule for _, rule, _ in fired}


def check_everybody_heard_of_each_alert_once(flow: Flow) -> None:
    """By id on Kafka, as a CloudEvent; once at all for the receiver, only of its rule."""
    everything = {
        (row["alert"], transition): row["rule"]
        for call in (WHOLE, LEFT)
        for row in flow.rows(alerts, call)
        for transition in ("firing", "resolved")
    }
    by_id: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for record in flow.published:
        headers = {name: value.decode() for name, value in record.headers}
        told = json.loads(record.value)
        call = told["alert"]["conversation"]
        assert record.key == f"acme/{call}".encode()
        assert (
            headers.items()
            >= {
                "ce_specversion": "1.0",
                "ce_source": "affectstream",
                "ce_type": topics.ALERTS,
                "ce_subject": f"acme/{call}",
                "content-type": "application/json",
            }.items()
        )
        by_id[headers["ce_id"]].add((told["alert"]["id"], told["transition"]))
    assert sorted(one for told in by_id.values() for one in told) == sorted(everything)

    assert flow.heard.refused == []
    taken = [
        (message, (body["alert"]["id"], body["transition"]))
        for message, body in flow.heard.messages
    ]
    ours = sorted(told for told, rule in everything.items() if rule == RULE)
    assert sorted(told for _, told in taken) == ours
    assert len({message for message, _ in taken}) == len(taken)
    assert all(told in by_id[message] for message, told in taken)


def check_nothing_is_left_of_what_was_withdrawn(flow: Flow) -> None:
    """No window of the customer ends after they said no, wherever one looks."""
    at_ns = flow.started_ns(LEFT) + LEFT_AT_S * SECOND_NS
    scores = flow.rows(window_scores, LEFT)
    assert {row["participant"] for row in scores} == {"customer"}, "the agent's voice came, too"
    assert max(row["end_ns"] for row in scores) == at_ns
    assert [row["windows"] for row in cached(flow, LEFT)] == [len(scores)]
    for row in flow.rows(feed, LEFT):
        if row["kind"] == "score":
            assert from_json(row["payload"]).end_ns <= at_ns
    (consent,) = [row for row in flow.rows(consents, LEFT) if row["consent"] == "no"]
    assert (consent["participant"], consent["at_ns"]) == ("customer", at_ns)
    assert consent["deleted_windows"] >= KNOWN_AT_S - LEFT_AT_S
    last = {
        (row["participant"], row["modality"]): (row["at_ns"], row["allowed"])
        for row in sorted(flow.rows(policy_decisions, LEFT), key=lambda row: row["at_ns"])
    }
    assert last["customer", "speech"] == (at_ns, False)
    over = {(row["rule"], row["state"], row["reason"]) for row in flow.rows(alerts, LEFT)}
    assert (RULE, "resolved", "withdrawn") in over
    assert not any(row["fired_ns"] > at_ns for row in flow.rows(alerts, LEFT))


def check_an_erasure_leaves_no_row_and_no_key(flow: Flow) -> None:
    """Of the erased call; the other stays as it is."""
    deployment = flow.deployment
    tables = [one for one in metadata.sorted_tables if "conversation" in one.c]
    kept = {one.name: flow.rows(one, LEFT) for one in tables}
    assert any(mentions(stored(deployment, one), WHOLE) for one in tables)
    deployment.run("erase", "--conversation", WHOLE)
    for table in metadata.sorted_tables:
        assert not mentions(stored(deployment, table), WHOLE), table.name
    assert not mentions(asyncio.run(keys_and_values(deployment.cache_url)), WHOLE)
    assert {one.name: flow.rows(one, LEFT) for one in tables} == kept


async def tell_the_webhook(deployment: Deployment) -> None:
    """Shipped rules tell nobody outside: a version of one of them does."""
    spec = {**plain(shipped_rules()[RULE]), "notify": [SINK]}
    engine = open_engine(deployment.database_url)
    try:
        await put_rule(engine, "acme", RULE, spec, author="test", now_ns=LONG_AGO_NS)
    finally:
        await engine.dispose()


@contextmanager
def ingest(deployment: Deployment, conversation: str) -> Iterator[subprocess.Popen[str]]:
    """Slow enough to act beside."""
    command = (sys.executable, "-m", "streams.cli", "ingest", BUNDLED, "--speed", "4", *OPTIONS)
    process = subprocess.Popen(
        [*map(str, command), "--conversation", conversation],
        env=deployment.environment,
        cwd=deployment.folder,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def scored_s(deployment: Deployment, conversation: str) -> float:
    """Seconds of a call that are scored."""
    begun = {row["conversation"]: row["started_ns"] for row in stored(deployment, conversations)}
    if conversation not in begun:
        return 0.0
    ends = [
        row["end_ns"]
        for row in stored(deployment, window_scores)
        if row["conversation"] == conversation
    ]
    return (max(ends) - begun[conversation]) / SECOND_NS if ends else 0.0


def withdrawal(started_ns: int) -> Timed:
    """What a telephone system sends when somebody says no."""
    at_ns = started_ns + LEFT_AT_S * SECOND_NS
    event = ControlEvent(
        tenant="acme",
        conversation=LEFT,
        participant="customer",
        sequence=1_000,
        kind=ControlKind.CONSENT_CHANGED,
        at_ns=at_ns,
        attributes={"consent": "no"},
    )
    return Timed(at_ns, event)


def publish(
    deployment: Deployment, timed: Iterable[Timed], until_ns: int | None = None
) -> list[Timed]:
    """Send records before `until_ns` as a source without a gate does; returns the others."""
    topic_of = {kind: topic for topic, kind in topics.RECORD_TYPES.items()}
    producer, left = KafkaProducer(bootstrap_servers=deployment.kafka), []
    for one in timed:
        if until_ns is None or one.at_ns < until_ns:
            record = one.record
            producer.send(topic_of[type(record)], key=record.key, value=encode(record))
        else:
            left.append(one)
    producer.flush()
    producer.close()
    return left


def tried(deployment: Deployment) -> bool:
    """Whether somebody has tried to reach the receiver in vain."""
    return any(
        row["sink"] == SINK and row["attempts"] > 0 for row in stored(deployment, deliveries)
    )


def over(deployment: Deployment) -> bool:
    ended = {row["conversation"] for row in stored(deployment, conversations) if row["ended_ns"]}
    return ended == {WHOLE, LEFT} and not stored(deployment, outbox)


def cached(flow: Flow, conversation: str) -> list[dict[str, Any]]:
    """What Redis holds of the customer."""
    found = [
        json.loads(value[b"value"])
        for value in asyncio.run(keys_and_values(flow.deployment.cache_url))
        if isinstance(value, dict)
    ]
    return [one for one in found if one["conversation"] == conversation]


def replay(flow: Flow) -> list[Transition]:
    """What the rules say of the scores of the whole call in one go."""
    book, scores = asyncio.run(rules_and_scores(flow.deployment))
    (call,) = flow.rows(conversations, WHOLE)
    facts = ConversationFacts(
        tenant="acme",
        conversation=WHOLE,
        queue=call["queue"],
        language=call["language"],
        started_ns=call["started_ns"],
    )
    steps, state = advance(scores, b"", facts, book)
    key = ParticipantKey("acme", "live", WHOLE, "customer")
    return [*steps, *end(state, call["ended_ns"], key)]


async def rules_and_scores(deployment: Deployment) -> tuple[RuleBook, Sequence[WindowScore]]:
    engine = open_engine(deployment.database_url)
    try:
        scores = await read_scores(engine, ConversationKey("acme", WHOLE), "live")
        return RuleBook.of(await read_every_rule(engine)), scores
    finally:
        await engine.dispose()


def plain_step(one: Transition) -> tuple[Any, ...]:
    return one.alert, one.rule, one.rule_version, one.at_ns, one.state.value, one.reason, one.value


def step(row: dict[str, Any]) -> tuple[Any, ...]:
    columns = ("alert", "rule", "rule_version", "at_ns", "state", "reason", "value")
    return tuple(row[column] for column in columns)


def fires(row: dict[str, Any]) -> bool:
    return bool(row["state"] == "firing")


def since(rows: list[dict[str, Any]], one: dict[str, Any]) -> int:
    """When the course of one step began."""
    return min(row["at_ns"] for row in rows if row["alert"] == one["alert"])


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port: int = chosen.getsockname()[1]
        return port
