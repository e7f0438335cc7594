"""A conversation in few figures: what each window read as, without what it rests on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Emotion, Role
from inference.score import WindowScore
from storage.carried import carried_through
from storage.engine import snapshot
from storage.schema import conversations, utterances, window_scores
from storage.scores import scores_on
from storage.values import LIVE_RUN, ConversationKey, Utterance


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One scored window of one participant."""

    role: Role
    start_ns: int
    end_ns: int
    distress: float | None
    """None where nothing was there."""
    label: Emotion | None
    """None where no single one was named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One conversation of the live run."""

    started_ns: int
    participants: Mapping[str, Sequence[Point]]
    """Who has a window, each ascending."""


async def read_outline(
    engine: AsyncEngine, key: ConversationKey, *, participant: str | None = None
) -> Outline | None:
    """Every final window in short; None where nothing is stored of the conversation.

    Args:
        engine: of the database.
        key: the conversation.
        participant: only theirs.

    Raises StoreUnavailableError.
    """
    column = window_scores.c
    facts = select(conversations.c.started_ns).where(
        conversations.c.tenant == key.tenant, conversations.c.conversation == key.conversation
    )
    query = (
        select(
            column.participant, column.role, column.start_ns, column.end_ns,
            column.distress, column.label, column.abstained,
        )
        .where(
            column.tenant == key.tenant,
            column.run == LIVE_RUN,
            column.conversation == key.conversation,
        )
        .order_by(column.participant, column.start_ns)
    )  # fmt: skip
    if participant is not None:
        query = query.where(column.participant == participant)
    found: dict[str, list[Point]] = defaultdict(list)
    async with snapshot(engine) as connection:
        started_ns = await connection.scalar(facts)
        if started_ns is None:
            return None
        for row in await connection.execute(query):
            named = row.label is not None and not row.abstained
            found[row.participant].append(
                Point(
                    role=Role(row.role),
                    start_ns=row.start_ns,
                    end_ns=row.end_ns,
                    distress=row.distress,
                    label=Emotion(row.label) if named else None,
                )
            )
    return Outline(started_ns=started_ns, participants=dict(found))


@carried_through
async def read_moments(
    engine: AsyncEngine,
    key: ConversationKey,
    participant: str,
    starts: Sequence[int],
    *,
    words_from_ns: int,
    words_to_ns: int,
) -> tuple[list[WindowScore], list[Utterance]]:
    """Whole windows of a participant, and words that were kept.

    Args:
        engine: of the database.
        key: the conversation.
        participant: whose.
        starts: `start_ns` of each window that is wanted; one that is gone is left out.
        words_from_ns: only words that end after this.
        words_to_ns: only words that end then or earlier.

    Returns:
        Windows ascending, and words by their end: none unless transcripts are kept.

    Raises StoreUnavailableError.
    """
    column = utterances.c
    kept = (
        select(*(one for one in column if one.name not in {"tenant", "conversation"}))
        .where(
            column.tenant == key.tenant,
            column.conversation == key.conversation,
            column.participant == participant,
            column.end_ns > words_from_ns,
            column.end_ns <= words_to_ns,
        )
        .order_by(column.end_ns, column.segment)
    )
    async with snapshot(engine) as connection:
        scores = await scores_on(connection, key, LIVE_RUN, participant=participant, starts=starts)
        words = [Utterance(**row) for row in (await connection.execute(kept)).mappings()]
    return scores, words
