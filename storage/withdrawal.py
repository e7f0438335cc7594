"""What policy decided, on record; and what a withdrawal of consent takes out of the database."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Table, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inference.contract import from_json
from inference.score import SCORE_NAMESPACE
from storage import rollups
from storage.alerts import RESOLVED
from storage.consents import unrecorded, write_consent
from storage.decisions import write_rulings
from storage.digests import Digests
from storage.engine import transaction
from storage.inserts import insert_new
from storage.messages import SINKS, Outgoing, write_outbox
from storage.schema import (
    alert_events,
    alerts,
    deliveries,
    feed,
    label_judgements,
    moments,
    outbox,
    progress,
    utterances,
    window_evidence,
    window_scores,
)
from storage.tombstones import erased_among
from storage.transitions import KIND, outgoing
from storage.values import (
    EVERYBODY,
    LIVE_RUN,
    AlertState,
    ConsentChange,
    ConversationKey,
    ParticipantKey,
    PolicyNews,
    Ruling,
)

REASON: Final = "withdrawn"
FOREVER: Final = 2**63 - 1
YES, NO = "yes", "no"
_UNSAID: Final[dict[str, Any]] = {
    "evidence": [], "peak": None, "narrative": None, "narrator": None,
}  # fmt: skip
"""Of an alert that rests on what was heard after the withdrawal."""
_COURSE: Final = (
    "tenant", "run", "conversation", "participant", "rule", "rule_version", "alert",
)  # fmt: skip


class PolicyStore:
    """Puts on record what policy decided, and honours withdrawals in the same transaction.

    Args:
        engine: from `storage.engine.open_engine`.
        digests: under the secret of the deployment, to know erased conversations by.
    """

    def __init__(self, engine: AsyncEngine, digests: Digests | None = None) -> None:
        self._engine = engine
        self._digests = digests or Digests()

    async def record(self, news: PolicyNews) -> list[Ruling] | None:
        """Store what is new of `news`, once.

        Returns the decisions that were not on record, None if the conversation was erased.

        Consent withdrawn at t deletes what rests on windows that end after t: scores,
        evidence, moments, rollups, words, messages that wait, rows of the live feed, alerts. An
        alert that had fired before resolves at t with the reason `withdrawn`. The progress of the
        participant changes, so that a batch that was drafted before is refused.

        Raises StoreUnavailableError.
        """
        async with transaction(self._engine) as connection:
            if await erased_among(connection, self._digests, [news.key]):
                return None
            decided = await write_rulings(connection, news)
            for change in await unrecorded(connection, news.key, news.consents):
                deleted = 0
                if change.consent == NO:
                    for participant in await _meant(connection, news, change):
                        deleted += await _withdraw(connection, news, change, participant)
                await write_consent(connection, news.key, change, deleted)
        return decided


async def _meant(
    connection: AsyncConnection, news: PolicyNews, change: ConsentChange
) -> Sequence[str]:
    """Whose consent ends with `change`."""
    if change.participant != EVERYBODY:
        return [change.participant]
    stored = select(progress.c.participant).where(
        progress.c.tenant == news.key.tenant, progress.c.conversation == news.key.conversation
    )
    return sorted({*news.passed, *(await connection.scalars(stored))})


def _given_again(news: PolicyNews, change: ConsentChange, participant: str) -> int:
    """Until when a withdrawal held, as far as is known."""
    return min(
        (
            later.at_ns
            for later in news.consents
            if later.at_ns > change.at_ns
            and later.consent == YES
            and later.participant in (participant, EVERYBODY)
        ),
        default=FOREVER,
    )


async def _withdraw(
    connection: AsyncConnection, news: PolicyNews, change: ConsentChange, participant: str
) -> int:
    """Delete what rests on windows after the withdrawal; returns how many windows."""
    key, since_ns = news.key, change.at_ns
    until_ns = _given_again(news, change, participant)
    await _fence(connection, news, participant, since_ns)
    query = select(window_scores.c.run, window_scores.c.start_ns).where(
        _of(window_scores, key, participant),
        window_scores.c.end_ns > since_ns,
        window_scores.c.start_ns < until_ns,
    )
    starts: dict[str, list[int]] = defaultdict(list)
    for row in await connection.execute(query):
        starts[row.run].append(row.start_ns)
    for run, times in sorted(starts.items()):
        await _delete_windows(
            connection, ParticipantKey(key.tenant, run, key.conversation, participant), times
        )
    await connection.execute(
        delete(utterances).where(
            _of(utterances, key, participant),
            utterances.c.end_ns > since_ns,
            utterances.c.start_ns < until_ns,
        )
    )
    cut = await _cut_alerts(connection, key, participant, since_ns, until_ns)
    live = set(starts.get(LIVE_RUN, ()))
    await _delete_messages(
        connection, key, participant, live, {one["alert"] for one in cut}, since_ns
    )
    await write_outbox(
        connection, [_resolved(row, since_ns) for row in cut if row["run"] == LIVE_RUN]
    )
    if news.run == LIVE_RUN:
        await _tell(connection, key, participant, since_ns, len(live))
    return sum(map(len, starts.values()))


def _of(table: Table, key: ConversationKey, participant: str) -> ColumnElement[bool]:
    return (
        (table.c.tenant == key.tenant)
        & (table.c.conversation == key.conversation)
        & (table.c.participant == participant)
    )


async def _fence(
    connection: AsyncConnection, news: PolicyNews, participant: str, since_ns: int
) -> None:
    """Change the progress under every run, so that no batch built on it is stored.

    Where there is none yet one is made, for the same reason. What is carried from window
    to window stays only if no window after the withdrawal went into it.
    """
    if participant in news.passed:
        row = {
            **asdict(ParticipantKey(news.key.tenant, news.run, news.key.conversation, participant)),
            "closed_until_ns": news.passed[participant],
            "flushed_until_ns": 0,
            "state": b"",
            "state_version": 1,
            "alerts": b"",
        }
        await insert_new(connection, progress, [row])
    mine = _of(progress, news.key, participant)
    rows = select(progress).where(mine).order_by(progress.c.run).with_for_update()
    for stored in (await connection.execute(rows)).mappings().all():
        clean = stored["closed_until_ns"] <= since_ns
        await connection.execute(
            update(progress)
            .where(mine, progress.c.run == stored["run"])
            .values(
                flushed_until_ns=max(since_ns, stored["flushed_until_ns"] + 1),
                state=stored["state"] if clean else b"",
                alerts=b"",
            )
        )


async def _delete_windows(
    connection: AsyncConnection, key: ParticipantKey, starts: Sequence[int]
) -> None:
    """Scores and evidence of these windows, which follow each other; minutes counted anew.

    Under the live run their moments, too, and what was judged of them.
    """
    first_ns, last_ns = min(starts), max(starts)
    of_live = (moments, label_judgements) if key.run == LIVE_RUN else ()
    for table in (window_evidence, window_scores, *of_live):
        these = _of(table, ConversationKey(key.tenant, key.conversation), key.participant)
        if table not in of_live:
            these &= table.c.run == key.run
        await connection.execute(
            delete(table).where(these, table.c.start_ns.between(first_ns, last_ns))
        )
    await rollups.recount_minutes(connection, key, first_ns, last_ns)


async def _cut_alerts(
    connection: AsyncConnection,
    key: ConversationKey,
    participant: str,
    since_ns: int,
    until_ns: int,
) -> list[dict[str, Any]]:
    """Alerts that fired after the withdrawal go; those that still ran resolve at its time.

    Returns the rows of both as whoever heard of them must see them now: over, without
    anything from after the withdrawal.
    """
    events, cut = _of(alert_events, key, participant), []
    mine = select(alerts).where(
        _of(alerts, key, participant),
        alerts.c.pending_ns < until_ns,
        or_(alerts.c.resolved_ns.is_(None), alerts.c.resolved_ns > since_ns),
    )
    for row in (await connection.execute(mine)).mappings().all():
        this = (alerts.c.tenant == key.tenant) & (alerts.c.run == row["run"])
        this &= alerts.c.alert == row["alert"]
        course = events & (alert_events.c.run == row["run"])
        course &= alert_events.c.alert == row["alert"]
        if row["fired_ns"] > since_ns:
            await connection.execute(delete(alerts).where(this))
            await connection.execute(delete(alert_events).where(course))
            cut.append({**row, **_over(since_ns), **_UNSAID})
            continue
        await connection.execute(
            delete(alert_events).where(course, alert_events.c.at_ns > since_ns)
        )
        fired = select(alert_events.c.evidence, alert_events.c.value).where(
            course, alert_events.c.state == AlertState.FIRING.value
        )
        first = (await connection.execute(fired.order_by(alert_events.c.at_ns))).first()
        left = {
            **_over(since_ns),
            "evidence": first.evidence if first else [],
            "peak": first.value if first else None,
        }
        await connection.execute(update(alerts).where(this).values(left))
        cut.append({**row, **left})
        end = {name: row[name] for name in _COURSE}
        end |= {"at_ns": since_ns, "state": AlertState.OK.value, "reason": REASON, "evidence": []}
        await insert_new(connection, alert_events, [end])
    await connection.execute(  # of courses that never fired
        delete(alert_events).where(
            events, alert_events.c.at_ns > since_ns, alert_events.c.at_ns <= until_ns
        )
    )
    return cut


def _over(since_ns: int) -> dict[str, Any]:
    return {"state": RESOLVED, "resolved_ns": since_ns, "reason": REASON}


def _resolved(row: Mapping[str, Any], since_ns: int) -> Outgoing:
    """Whoever was told that the alert fires hears that it is over."""
    sinks = tuple(dict.fromkeys((*SINKS[KIND], *row["sinks"])))
    return outgoing(row, "resolved", since_ns, sinks=sinks, order_ns=since_ns)


async def _delete_messages(
    connection: AsyncConnection,
    key: ConversationKey,
    participant: str,
    starts: Collection[int],
    touched: Collection[str],
    since_ns: int,
) -> None:
    """Messages that wait and rows of the live feed that tell of what was deleted."""
    waiting = select(outbox.c.id, outbox.c.kind, outbox.c.at_ns).where(
        _of(outbox, key, participant)
    )
    rows = (await connection.execute(waiting.order_by(outbox.c.id).with_for_update())).all()
    gone = [
        row.id
        for row in rows
        if (row.kind == "score" and row.at_ns in starts)
        or (row.kind == "alert" and row.at_ns > since_ns)
    ]
    await connection.execute(delete(deliveries).where(deliveries.c.outbox_id.in_(gone)))
    await connection.execute(delete(outbox).where(outbox.c.id.in_(gone)))
    shown = select(feed.c.feed_id, feed.c.kind, feed.c.payload).where(
        feed.c.tenant == key.tenant,
        feed.c.conversation == key.conversation,
        feed.c.kind.in_(["score", "alert"]),
    )
    stale = [
        row.feed_id
        for row in await connection.execute(shown)
        if _tells_of(row.kind, row.payload, participant, starts, touched)
    ]
    await connection.execute(delete(feed).where(feed.c.feed_id.in_(stale)))


def _tells_of(
    kind: str,
    payload: bytes,
    participant: str,
    starts: Collection[int],
    touched: Collection[str],
) -> bool:
    if kind == "score":
        score = from_json(payload)
        return score.participant == participant and score.start_ns in starts
    body = msgspec.json.decode(payload)
    return body.get("alert", {}).get("id") in touched


async def _tell(
    connection: AsyncConnection,
    key: ConversationKey,
    participant: str,
    since_ns: int,
    deleted: int,
) -> None:
    """One message for the cache and the live feed."""
    name = f"{key.tenant}/{LIVE_RUN}/{REASON}/{key.conversation}/{participant}/{since_ns}"
    message = Outgoing(
        id=str(uuid.uuid5(SCORE_NAMESPACE, name)),
        tenant=key.tenant,
        kind=REASON,
        conversation=key.conversation,
        participant=participant,
        at_ns=since_ns,
        payload=msgspec.json.encode(
            {
                "tenant": key.tenant,
                "conversation": key.conversation,
                "participant": participant,
                "withdrawn_ns": since_ns,
                "deleted_windows": deleted,
            }
        ),
        sinks=SINKS[REASON],
    )
    await write_outbox(connection, [message], again=True)
