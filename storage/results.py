"""Final scores into SQL: all of a participant's batch or nothing, and never twice."""

import asyncio
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

import msgspec
from sqlalchemy import RowMapping, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inference.contract import to_json
from inference.score import SCORE_NAMESPACE
from storage import rollups, transitions
from storage.digests import Digests
from storage.engine import reason, snapshot, transaction
from storage.errors import StoreUnavailableError
from storage.inserts import insert_new
from storage.messages import SINKS, Outgoing, write_outbox
from storage.moments import write_moments
from storage.rows import evidence_rows, score_row
from storage.schema import (
    conversations,
    participants,
    progress,
    window_evidence,
    window_scores,
)
from storage.tombstones import erased_among, tombstones_of
from storage.transcripts import write_words
from storage.values import (
    EVERYBODY,
    LIVE_RUN,
    ConversationFacts,
    ConversationKey,
    ParticipantBatch,
    ParticipantKey,
    Progress,
    StoredConversation,
    Transition,
)

ATTEMPTS: Final = 3
_PROGRESS_KEY: Final = (
    progress.c.tenant,
    progress.c.run,
    progress.c.conversation,
    progress.c.participant,
)


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What became of the batches that are not stored."""

    rejected: Mapping[ParticipantKey, Progress | None] = field(default_factory=dict)
    """Built on other progress than the database holds, which stands here."""
    failed: Mapping[ParticipantKey, str] = field(default_factory=dict)
    """Refused by the database even alone, with its error."""
    erased: frozenset[ParticipantKey] = frozenset()
    """Of conversations that were erased: nothing of them is stored any more."""

    def __or__(self, other: "CommitResult") -> "CommitResult":
        """Both together."""
        return CommitResult(
            {**self.rejected, **other.rejected},
            {**self.failed, **other.failed},
            self.erased | other.erased,
        )


EndAlerts = Callable[[bytes, int, ParticipantKey], Sequence[Transition]]
"""The last steps of the alert rules of a participant whose conversation is over: of
`Progress.alerts`, the event time of the end, and whose they are."""


class ResultStore:
    """Writes what workers score.

    Args:
        engine: from `storage.engine.open_engine`.
        end_alerts: asked in the transaction that ends a conversation; None asks nobody.
        pause_s: wait before a transaction is tried again.
        digests: under the secret of the deployment, to know erased conversations by.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        end_alerts: EndAlerts | None = None,
        pause_s: float = 0.05,
        digests: Digests | None = None,
    ) -> None:
        self._engine = engine
        self._end_alerts = end_alerts
        self._digests = digests or Digests()
        self._pause_s = pause_s

    async def commit(self, batches: Sequence[ParticipantBatch]) -> CommitResult:
        """Store several participants in one transaction.

        1. lock the progress rows in key order and compare each with what its batch was
           built on; a batch that differs is rejected whole
        2. set progress; write conversations and participants that are new
        3. insert scores and evidence (never upsert: a conflict is a bug)
        4. count rollups
        5. for the live run, words and moments; one outbox row a score and one delivery a sink
        6. insert the transitions of alert rules; for the live run an outbox row for each
           alert that begins or ends, too

        Whatever the database refuses is tried again participant by participant, so that a
        bad batch never keeps its neighbours.

        Raises StoreUnavailableError if it does not answer after `ATTEMPTS` transactions;
        then it is unknown whether the last one was stored, and `commit` of the same
        batches finds out.
        """
        unique = {batch.key: batch for batch in batches}
        try:
            result = await self._attempt([unique[key] for key in sorted(unique)])
        except SQLAlchemyError as exc:
            if len(unique) == 1:
                return CommitResult(failed={batches[0].key: reason(exc)})
            result = CommitResult()
            for batch in unique.values():
                result |= await self.commit([batch])
        repeated = [batch for batch in batches if batch is not unique[batch.key]]
        return result | await self.commit(repeated) if repeated else result

    async def resume(
        self, run: str, keys: Iterable[ConversationKey]
    ) -> Mapping[ConversationKey, StoredConversation]:
        """What is stored of each conversation; an empty value where nothing is.

        One that was erased is over, and says so.

        Raises StoreUnavailableError.
        """
        wanted = [(key.tenant, key.conversation) for key in keys]
        facts = select(conversations).where(
            tuple_(conversations.c.tenant, conversations.c.conversation).in_(wanted)
        )
        done = select(progress).where(
            progress.c.run == run,
            tuple_(progress.c.tenant, progress.c.conversation).in_(wanted),
        )
        stored = {ConversationKey(*key): StoredConversation() for key in wanted}
        async with snapshot(self._engine) as connection:
            for row in (await connection.execute(facts)).mappings():
                stored[ConversationKey(row["tenant"], row["conversation"])] = StoredConversation(
                    started_ns=row["started_ns"], ended_ns=row["ended_ns"]
                )
            for row in (await connection.execute(done)).mappings():
                key = ConversationKey(row["tenant"], row["conversation"])
                before = stored[key]
                stored[key] = replace(
                    before, progress={**before.progress, row["participant"]: _progress_of(row)}
                )
            erased = await tombstones_of(connection, self._digests, stored)
        return stored | {
            key: StoredConversation(ended_ns=erased_ns, erased=True)
            for key, erased_ns in erased.items()
        }

    async def end_conversation(self, facts: ConversationFacts, ended_ns: int) -> None:
        """Store the end once, and the rows of a conversation that had no score.

        Alert rules of the live run come to rest in the same transaction, with the reason `ended`.

        Raises StoreUnavailableError.
        """
        ended = (
            update(conversations)
            .where(
                conversations.c.tenant == facts.tenant,
                conversations.c.conversation == facts.conversation,
                conversations.c.ended_ns.is_(None),
            )
            .values(ended_ns=ended_ns)
        )
        async with transaction(self._engine) as connection:
            key = ConversationKey(facts.tenant, facts.conversation)
            if await erased_among(connection, self._digests, [key]):
                return
            await _write_facts(connection, [facts])
            if (await connection.execute(ended)).rowcount:
                await self._finish_alerts(connection, facts, ended_ns)
                await write_outbox(connection, [_end_message(facts, ended_ns)])

    async def _finish_alerts(
        self, connection: AsyncConnection, facts: ConversationFacts, ended_ns: int
    ) -> None:
        key = ConversationKey(facts.tenant, facts.conversation)
        if self._end_alerts is not None:
            for batch in await _last_batches(connection, facts):
                steps = self._end_alerts(batch.progress.alerts, ended_ns, batch.key)
                await transitions.write(connection, replace(batch, transitions=tuple(steps)), facts)
        await transitions.resolve(connection, key, reason="ended", at_ns=ended_ns)

    async def _attempt(self, batches: Sequence[ParticipantBatch]) -> CommitResult:
        """One transaction, on a new connection after each transient error."""
        attempt = 0
        while True:
            attempt += 1
            try:
                async with transaction(self._engine) as connection:
                    return await _commit(connection, batches, self._digests)
            except (StoreUnavailableError, IntegrityError):
                # A conflict means that another worker stored first: the next look at
                # progress says so. One that stays is a bug, and is raised.
                if attempt == ATTEMPTS:
                    raise
            await asyncio.sleep(self._pause_s * attempt)


async def _commit(
    connection: AsyncConnection, batches: Sequence[ParticipantBatch], digests: Digests
) -> CommitResult:
    erased = await _erased(connection, batches, digests)
    batches = [batch for batch in batches if batch.key not in erased]
    stored = await _locked_progress(connection, [batch.key for batch in batches])
    rejected = {
        batch.key: stored.get(batch.key)
        for batch in batches
        if stored.get(batch.key) != batch.expected
    }
    accepted = [batch for batch in batches if batch.key not in rejected]
    if not accepted:
        return CommitResult(rejected, erased=erased)
    await _set_progress(connection, accepted)
    facts = await _write_facts(connection, [batch.conversation for batch in accepted])
    scores = [score for batch in accepted for score in batch.scores]
    if scores:
        await connection.execute(insert(window_scores), [score_row(score) for score in scores])
        await connection.execute(
            insert(window_evidence), [row for score in scores for row in evidence_rows(score)]
        )
    for batch in accepted:
        key = ConversationKey(batch.key.tenant, batch.key.conversation)
        await rollups.add(connection, rollups.count(batch.scores, facts[key]))
        if batch.key.run == LIVE_RUN:
            await write_words(connection, key, batch.words)
            await write_moments(connection, batch.key, batch.moments, batch.scores)
    await write_outbox(
        connection,
        [
            Outgoing(
                id=str(score.id),
                tenant=score.tenant,
                kind="score",
                conversation=score.conversation,
                participant=score.participant,
                at_ns=score.start_ns,
                payload=to_json(score),
                sinks=SINKS["score"],
                traceparent=batch.traceparent,
            )
            for batch in accepted
            if batch.key.run == LIVE_RUN
            for score in batch.scores
        ],
    )
    for batch in accepted:
        await transitions.write(
            connection, batch, facts[ConversationKey(batch.key.tenant, batch.key.conversation)]
        )
    return CommitResult(rejected, erased=erased)


async def _erased(
    connection: AsyncConnection, batches: Sequence[ParticipantBatch], digests: Digests
) -> frozenset[ParticipantKey]:
    keys = {ConversationKey(batch.key.tenant, batch.key.conversation) for batch in batches}
    gone = await erased_among(connection, digests, keys)
    return frozenset(
        batch.key
        for batch in batches
        if ConversationKey(batch.key.tenant, batch.key.conversation) in gone
    )


async def _locked_progress(
    connection: AsyncConnection, keys: Sequence[ParticipantKey]
) -> dict[ParticipantKey, Progress]:
    query = (
        select(progress)
        .where(
            tuple_(*_PROGRESS_KEY).in_(
                [(key.tenant, key.run, key.conversation, key.participant) for key in keys]
            )
        )
        .order_by(*_PROGRESS_KEY)
        .with_for_update()
    )
    return {
        ParticipantKey(
            row["tenant"], row["run"], row["conversation"], row["participant"]
        ): _progress_of(row)
        for row in (await connection.execute(query)).mappings()
    }


def _progress_of(row: RowMapping) -> Progress:
    return Progress(
        closed_until_ns=row["closed_until_ns"],
        flushed_until_ns=row["flushed_until_ns"],
        state=row["state"],
        state_version=row["state_version"],
        alerts=row["alerts"],
    )


async def _last_batches(
    connection: AsyncConnection, facts: ConversationFacts
) -> list[ParticipantBatch]:
    """Where the participants of a live conversation stand, as batches without a score."""
    query = (
        select(progress)
        .where(
            progress.c.tenant == facts.tenant,
            progress.c.run == LIVE_RUN,
            progress.c.conversation == facts.conversation,
        )
        .order_by(progress.c.participant)
        .with_for_update()
    )
    return [
        ParticipantBatch(
            key=ParticipantKey(facts.tenant, LIVE_RUN, facts.conversation, row["participant"]),
            expected=_progress_of(row),
            progress=_progress_of(row),
            scores=(),
            conversation=facts,
        )
        for row in (await connection.execute(query)).mappings()
    ]


async def _set_progress(connection: AsyncConnection, batches: Sequence[ParticipantBatch]) -> None:
    for batch in batches:
        if batch.expected is None:
            row = {**asdict(batch.key), **asdict(batch.progress)}
            await connection.execute(insert(progress).values(row))
        else:
            key = batch.key
            await connection.execute(
                update(progress)
                .where(
                    progress.c.tenant == key.tenant,
                    progress.c.run == key.run,
                    progress.c.conversation == key.conversation,
                    progress.c.participant == key.participant,
                )
                .values(asdict(batch.progress))
            )


async def _write_facts(
    connection: AsyncConnection, facts: Sequence[ConversationFacts]
) -> dict[ConversationKey, ConversationFacts]:
    """Insert what is new; returns what is stored, which froze at the first write."""
    rows, members = {}, {}
    for item in facts:
        row = asdict(item)
        for member in row.pop("participants"):
            members[item.tenant, item.conversation, member["participant"]] = {
                "tenant": item.tenant,
                "conversation": item.conversation,
                **member,
            }
        rows[ConversationKey(item.tenant, item.conversation)] = row
    await insert_new(connection, conversations, [rows[key] for key in sorted(rows)])
    await insert_new(connection, participants, [members[key] for key in sorted(members)])
    query = select(conversations).where(
        tuple_(conversations.c.tenant, conversations.c.conversation).in_(
            [(key.tenant, key.conversation) for key in rows]
        )
    )
    return {
        ConversationKey(row["tenant"], row["conversation"]): ConversationFacts(**row)
        for row in (await connection.execute(query)).mappings()
    }


def _end_message(facts: ConversationFacts, ended_ns: int) -> Outgoing:
    name = f"{facts.tenant}/{LIVE_RUN}/ended/{facts.conversation}/{EVERYBODY}/{ended_ns}"
    return Outgoing(
        id=str(uuid.uuid5(SCORE_NAMESPACE, name)),
        tenant=facts.tenant,
        kind="ended",
        conversation=facts.conversation,
        participant=EVERYBODY,
        at_ns=ended_ns,
        payload=msgspec.json.encode(
            {"tenant": facts.tenant, "conversation": facts.conversation, "ended_ns": ended_ns}
        ),
        sinks=SINKS["ended"],
    )
