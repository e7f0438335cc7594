"""Rollups: what a dashboard sums, per participant and minute, counted with every score.

Reading them costs a row a minute instead of sixty windows. They are written in the
transaction of the scores, so after any crash a recount of the scores gives the same.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import and_, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inference.labels import EMOTIONS, MODALITIES
from inference.score import WindowScore
from inference.units import MINUTE_NS
from storage.engine import snapshot
from storage.inserts import insert_into
from storage.schema import SCALE, rollups
from storage.scores import read_scores, scores_on
from storage.values import ConversationFacts, ConversationKey, ParticipantKey

KEY: Final = ("tenant", "run", "conversation", "participant", "minute_ns")
FROZEN: Final = ("queue", "role", "language")
COUNTED: Final = tuple(
    column.name for column in rollups.columns if column.name not in {*KEY, *FROZEN}
)
Row = dict[str, Any]


def count(scores: Iterable[WindowScore], facts: ConversationFacts) -> list[Row]:
    """Rollup rows of `scores` alone, in key order."""
    rows: dict[tuple[Any, ...], Row] = {}
    for score in scores:
        key = {
            "tenant": score.tenant,
            "run": score.run,
            "conversation": score.conversation,
            "participant": score.participant,
            "minute_ns": score.start_ns // MINUTE_NS * MINUTE_NS,
        }
        frozen = {"queue": facts.queue, "role": score.role.value, "language": facts.language}
        row = rows.setdefault(tuple(key.values()), {**key, **frozen, **dict.fromkeys(COUNTED, 0)})
        for name, amount in _amounts(score).items():
            row[name] += amount
    return [rows[key] for key in sorted(rows)]


def _amounts(score: WindowScore) -> Mapping[str, int]:
    """What one window adds to each counted column."""
    distress = score.distress.probability if score.distress else None
    emotions = score.emotions or {}
    return {
        "windows": 1,
        "scored": int(score.emotions is not None),
        "abstained": int(score.decision.abstained),
        "partial": int(score.partial),
        "distress_sum": _scaled(distress),
        "arousal_sum": _scaled(score.arousal),
        "valence_sum": _scaled(score.valence),
        "conflict_sum": _scaled(score.conflict),
        **{
            f"{modality}_present": int(
                modality in score.modalities and score.modalities[modality].present
            )
            for modality in MODALITIES
        },
        **{f"{emotion}_sum": _scaled(emotions.get(emotion)) for emotion in EMOTIONS},
    }


def _scaled(value: float | None) -> int:
    """Exact for values of four decimals."""
    return 0 if value is None else round(value * SCALE)


async def add(connection: AsyncConnection, rows: list[Row]) -> None:
    """Add the counts of `rows` to what is stored, in the caller's transaction."""
    if not rows:
        return
    statement = insert_into(connection, rollups)
    added = {name: rollups.c[name] + statement.excluded[name] for name in COUNTED}
    await connection.execute(
        statement.on_conflict_do_update(index_elements=list(KEY), set_=added), rows
    )


async def read_rollups(engine: AsyncEngine, key: ConversationKey, run: str) -> list[Row]:
    """Stored rows of one conversation, in key order.

    Raises StoreUnavailableError.
    """
    query = (
        select(rollups)
        .where(
            rollups.c.tenant == key.tenant,
            rollups.c.conversation == key.conversation,
            rollups.c.run == run,
        )
        .order_by(*(rollups.c[name] for name in KEY))
    )
    async with snapshot(engine) as connection:
        return [dict(row) for row in (await connection.execute(query)).mappings()]


async def recount(
    engine: AsyncEngine, key: ConversationKey, run: str, facts: ConversationFacts
) -> list[Row]:
    """The rows that the stored scores of one conversation give, counted anew.

    Raises StoreUnavailableError.
    """
    return count(await read_scores(engine, key, run), facts)


async def recount_minutes(
    connection: AsyncConnection, key: ParticipantKey, from_ns: int, to_ns: int
) -> None:
    """Count the minutes of windows that start in `[from_ns, to_ns]` anew, from what is stored.

    In the transaction of the caller, after scores were deleted.
    """
    begin_ns = from_ns // MINUTE_NS * MINUTE_NS
    end_ns = (to_ns // MINUTE_NS + 1) * MINUTE_NS
    touched = and_(
        rollups.c.tenant == key.tenant,
        rollups.c.run == key.run,
        rollups.c.conversation == key.conversation,
        rollups.c.participant == key.participant,
        rollups.c.minute_ns >= begin_ns,
        rollups.c.minute_ns < end_ns,
    )
    frozen = (
        await connection.execute(select(rollups.c.queue, rollups.c.language).where(touched))
    ).first()
    if frozen is None:
        return
    await connection.execute(delete(rollups).where(touched))
    left = await scores_on(
        connection,
        ConversationKey(key.tenant, key.conversation),
        key.run,
        participant=key.participant,
        from_ns=begin_ns,
        to_ns=end_ns,
    )
    facts = ConversationFacts(
        tenant=key.tenant,
        conversation=key.conversation,
        queue=frozen.queue,
        language=frozen.language,
        started_ns=begin_ns,
    )
    await add(connection, count(left, facts))
