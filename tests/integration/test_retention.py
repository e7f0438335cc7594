"""What is over its time goes, class by class; what is not stays, and a dry run changes nothing."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import retention
from storage.digests import Digests
from storage.engine import snapshot, transaction
from storage.erasure import Eraser
from storage.messages import Outgoing, write_outbox
from storage.moments import MomentKey
from storage.outbox import give_up
from storage.own_labels import LabelJudgement, judge_moment, put_label
from storage.results import ResultStore
from storage.retention import DAY_NS, RULES, Expired, Retention, apply, expired
from storage.schema import alert_events, alerts, audit_log, metadata
from storage.values import ConversationFacts, ConversationKey, Utterance
from storage.withdrawal import PolicyStore
from tests.integration.test_withdrawal import alert_row, event_row, news, no, ruling
from tests.moments import moment, noise
from tests.scores import SECOND_NS, START_NS, batch, distressed

ENDED_NS = START_NS + 30 * SECOND_NS
SAID = Utterance(
    participant="p-1",
    segment="s-1",
    start_ns=START_NS,
    end_ns=START_NS + SECOND_NS,
    text="words",
    language="en",
)


async def fill(engine: AsyncEngine) -> None:
    """A conversation that ended, one that runs, a decision, an alert, a look, and an erasure."""
    for conversation in ("c-1", "c-runs"):
        scores = [distressed(n, conversation=conversation) for n in range(5)]
        moments = tuple(moment(score, noise(n)) for n, score in enumerate(scores))
        done = replace(batch(scores, None), words=(SAID,), moments=moments)
        await ResultStore(engine).commit([done])
        await put_label(engine, "acme", "calm", ["calm"], by="ana", now_ns=START_NS, most=9)
        judgement = LabelJudgement(
            key=MomentKey(conversation, "p-1", START_NS), holds=True, judged_ns=1, judged_by="ana"
        )
        assert await judge_moment(engine, "acme", "calm", judgement) is not None
    await ResultStore(engine).end_conversation(
        ConversationFacts(tenant="acme", conversation="c-1", started_ns=START_NS), ENDED_NS
    )
    await PolicyStore(engine).record(news(no(99), rulings=[ruling()]))
    async with transaction(engine) as connection:
        await connection.execute(insert(alerts).values(alert_row("a", 4, 5)))
        await connection.execute(insert(alert_events).values(event_row("a", "firing", 4, 0.7)))
        await connection.execute(
            insert(audit_log).values(
                tenant="acme", at_ns=START_NS, actor="x", action="y", details={}
            )
        )
    await Eraser(engine, digests=Digests()).conversation(
        ConversationKey("acme", "c-9"), by="dpo", now_ns=START_NS
    )


async def counts(engine: AsyncEngine) -> dict[str, int]:
    async with snapshot(engine) as connection:
        return {
            table.name: await connection.scalar(select(func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
        }


def gone(found: Iterable[Expired]) -> dict[str, int]:
    return {item.table: item.rows for item in found if item.rows}


@pytest.mark.parametrize(
    ("after_days", "expected"),
    [
        (0.5, set()),
        (2, {"tombstones"}),
        (
            91,
            {
                "tombstones",
                "window_scores",
                "window_evidence",
                "moments",
                "label_judgements",
                "utterances",
                "progress",
                "outbox",
                "deliveries",
            },
        ),
        (366, {"alerts", "alert_events", "policy_decisions", "consents", "audit_log", "erasures"}),
        (731, {"rollups", "conversations", "participants"}),
    ],
)
async def test_each_class_goes_at_its_time(
    engine: AsyncEngine, after_days: float, expected: set[str]
) -> None:
    await fill(engine)
    before = await counts(engine)
    now_ns = ENDED_NS + int(after_days * DAY_NS) + 60 * SECOND_NS
    promised = await expired(engine, Retention(), now_ns)
    assert await counts(engine) == before, "a dry run changes nothing"
    done = await apply(engine, Retention(), now_ns)
    assert done == promised, "a dry run counts what goes"
    after = await counts(engine)
    went = {name: before[name] - after[name] for name in before if before[name] != after[name]}
    assert went.items() >= gone(done).items()
    assert expected <= set(went)
    assert set(went) - set(gone(done)) <= {"deliveries"}, "which go with their messages"
    assert gone(await apply(engine, Retention(), now_ns)) == {}, "again there is nothing to do"


@pytest.mark.parametrize(
    ("kind", "class_", "days"), [("alert", "alerts", 365), ("ended", "scores", 90)]
)
async def test_messages_that_nobody_takes_go_with_what_they_tell_of(
    engine: AsyncEngine, kind: str, class_: str, days: int
) -> None:
    async with transaction(engine) as connection:
        message = Outgoing(
            id="m-1", tenant="acme", kind=kind, conversation="c-1", participant="p-1",
            at_ns=START_NS, payload=b"{}", sinks=("kafka", "webhook:crm"),
        )  # fmt: skip
        await write_outbox(connection, [message])
    assert await give_up(engine, error="it answered 404") == 2
    assert gone(await apply(engine, Retention(), START_NS + (days - 1) * DAY_NS)) == {}
    over_ns = START_NS + (days + 1) * DAY_NS
    promised = [item for item in await expired(engine, Retention(), over_ns) if item.rows]
    assert [(item.kind, item.table, item.rows) for item in promised] == [(class_, "outbox", 1)]
    assert gone(await apply(engine, Retention(), over_ns)) == {"outbox": 1}
    assert (await counts(engine))["deliveries"] == 0


async def test_what_runs_keeps_its_progress_and_its_participants(engine: AsyncEngine) -> None:
    await fill(engine)
    await apply(engine, Retention(), START_NS + 5_000 * DAY_NS)
    async with snapshot(engine) as connection:
        for name in ("progress", "participants", "conversations"):
            table = metadata.tables[name]
            left = (await connection.scalars(select(table.c.conversation))).all()
            assert list(left) == ["c-runs"], name


async def test_what_was_scored_lately_stays(engine: AsyncEngine) -> None:
    await fill(engine)
    days = Retention(scores_days=1, alerts_days=1, rollups_days=1, audit_days=1)
    before = await counts(engine)
    assert gone(await apply(engine, days, START_NS + DAY_NS // 2)) == {}
    assert await counts(engine) == before


async def test_many_rows_go_in_transactions_of_a_few(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHUNK", 3)
    await fill(engine)
    opened = 0

    def counted(*given: Any) -> Any:
        nonlocal opened
        opened += 1
        return transaction(*given)

    monkeypatch.setattr(retention, "transaction", counted)
    done = await apply(engine, Retention(), START_NS + 100 * DAY_NS)
    assert gone(done)["window_scores"] == 10
    assert opened >= sum(1 + rows // 3 for rows in gone(done).values())


def test_every_table_with_a_time_of_somebody_has_a_rule() -> None:
    ruled = {rule.table.name for rule in RULES}
    without = {name for name in metadata.tables if name not in ruled}
    assert without == {
        "feed",  # the relay keeps an hour
        "deliveries",  # go with their message
        "rules",  # hold no person
        "own_labels",  # the same
        "api_keys",
    }
