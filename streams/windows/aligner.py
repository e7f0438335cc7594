"""One partition: conversations in, final windows out, offsets released in order."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final, Protocol

from inference.labels import Modality
from storage.values import (
    EVERYBODY,
    ConsentChange,
    ConversationFacts,
    ConversationKey,
    ParticipantFacts,
    ParticipantKey,
    PolicyNews,
    Progress,
    Ruling,
    StoredConversation,
)
from streams import topics
from streams.records import (
    ControlEvent,
    ControlKind,
    Kind,
    MediaRecord,
    Record,
    Track,
    storable,
)
from streams.windows.completeness import FOREVER, ConfirmedFrontier, PollRow
from streams.windows.grid import WindowGrid
from streams.windows.participant import Held, Participant, Timing, WindowDraft, extent
from streams.windows.tracker import OffsetTracker, Slot

TOPIC_OF: Final[Mapping[Track, str]] = {
    Track.AUDIO: topics.AUDIO,
    Track.FRAMES: topics.FRAMES,
    Track.TRANSCRIPTS: topics.TRANSCRIPTS,
}
_TRACK_OF: Final = {topic: track for track, topic in TOPIC_OF.items()}
SubjectDigest = Callable[[str, str], str | None]
"""Of a tenant and the name of a subject; None where none can be made, and nothing is kept."""


def nobody(_tenant: str, _subject: str) -> None:
    """Keeps nothing of any subject."""


class Gate(Protocol):
    """What the aligner asks of policy; `streams.policy` answers."""

    def apply(self, event: ControlEvent) -> None:
        """Take a fact; it is true from the event's own time."""
        ...

    def permitted_throughout(
        self, participant: str, modality: Modality, start_ns: int, end_ns: int
    ) -> bool:
        """Whether this modality of this participant may be analysed all through the stretch."""
        ...

    def withdrawn_at(self, participant: str) -> int | None:
        """Since when consent is refused or withdrawn; None if it is not."""
        ...

    def rulings(self, others: Collection[str], since_ns: int) -> tuple[Ruling, ...]:
        """Every decision so far, also on `others`, of whom no event speaks."""
        ...

    def consents(self) -> tuple[ConsentChange, ...]:
        """What was said of consent and notice, ascending."""
        ...


class Reason(StrEnum):
    """Why a record went elsewhere."""

    LATE = "late"
    CLOCK = "clock"
    REUSED = "conversation_reused"


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A record that no window can take; the slot is done once it was delivered elsewhere."""

    topic: str
    record: Record
    slot: Slot
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Final windows of one participant, to be scored and stored as one unit."""

    key: ParticipantKey
    expected: Progress | None
    drafts: tuple[WindowDraft, ...]
    closed_until_ns: int
    conversation: ConversationFacts
    left_ns: int | None = None
    """When they left, if no window of theirs comes after these."""


class _Conversation:
    """Facts, participants, and the records that came before the database answered."""

    def __init__(self, key: ConversationKey, gate: Gate, clock_ns: int) -> None:
        self.key = key
        self.gate = gate
        self.loaded: StoredConversation | None = None
        self.waiting: list[tuple[Held, int, int | None, bool]] = []
        self.participants: dict[str, Participant] = {}
        self.started: ControlEvent | None = None
        self.ended_ns: int | None = None
        self.ending = False
        self.control = ConfirmedFrontier()
        self.control_held: list[Held] = []
        self.first_clock_ns = clock_ns
        self.last_clock_ns = clock_ns
        self.first_ns: int | None = None
        self.recorded: tuple[int, frozenset[str]] = (0, frozenset())

    @property
    def over(self) -> bool:
        """Whether it had ended before its records were read."""
        return self.loaded is not None and self.loaded.ended_ns is not None

    @property
    def decided(self) -> tuple[int, frozenset[str]]:
        """What the record of policy rests on: facts, and who was announced or is heard."""
        names = (one.id for one in self.participants.values() if one.announced or one.decided)
        return len(self.control_held), frozenset(names)

    @property
    def has_news(self) -> bool:
        """Whether policy decided something that is not on record yet."""
        return self.loaded is not None and self.decided != self.recorded

    @property
    def frontier_ns(self) -> int:
        """The newest event time of any participant."""
        return max((p.frontier_ns for p in self.participants.values()), default=-1)

    def facts(self) -> ConversationFacts:
        """What control said, for the first storing transaction."""
        said = self.started.attributes if self.started else {}
        attributes = {name: storable(value) for name, value in said.items()}
        started_ns = self.started.at_ns if self.started else (self.first_ns or 0)
        if self.loaded is not None and self.loaded.started_ns is not None:
            started_ns = self.loaded.started_ns  # frozen; what was read since may begin later
        return ConversationFacts(
            tenant=self.key.tenant,
            conversation=self.key.conversation,
            queue=attributes.get("queue", "unknown"),
            language=attributes.get("language", "und"),
            region=attributes.get("region", "unknown"),
            purpose=attributes.get("purpose", "unknown"),
            channel=attributes.get("channel", "unknown"),
            started_ns=started_ns,
            ended_ns=None,
            participants=tuple(
                ParticipantFacts(
                    participant=p.id, role=p.role, joined_ns=p.joined_ns, subject=p.subject
                )
                for p in self.participants.values()
            ),
        )


class Aligner:
    """Assigns one partition's records to windows and says which windows are final.

    The caller feeds records in offset order, reports what polls showed, loads stored
    progress where asked, and calls `advance`. A closing participant is busy until
    `stored` or `rejected` answers. `committable` never passes a record still needed.
    """

    def __init__(
        self,
        *,
        run: str,
        grid: WindowGrid,
        timing: Timing,
        look_back_ns: Mapping[Modality, int],
        new_gate: Callable[[str], Gate],
        digest: SubjectDigest = nobody,
        max_closing: int = 32,
    ) -> None:
        self.run = run
        self.held_bytes = 0
        self._grid = grid
        self._timing = timing
        self._look_back_ns = look_back_ns
        self._new_gate = new_gate
        self._digest = digest
        self._max_closing = max_closing
        self._trackers = {topic: OffsetTracker() for topic in topics.INPUTS}
        self._rows = {topic: PollRow() for topic in topics.INPUTS}
        self._track_rows = {track: self._rows[topic] for track, topic in TOPIC_OF.items()}
        self._conversations: dict[ConversationKey, _Conversation] = {}
        self._misplaced: list[Misplaced] = []

    # what the broker says

    def next_offset(self, topic: str) -> int | None:
        """The offset expected next; None before the first record."""
        return self._trackers[topic].next_offset

    def seek(self, topic: str, offset: int) -> None:
        """Start of this generation: the first record to come has this offset."""
        self._trackers[topic].next_offset = offset

    def observe(self, topic: str, poll_ns: int, *, caught_up: bool) -> None:
        """A poll of `topic` succeeded at clock time `poll_ns`."""
        self._rows[topic].observe(poll_ns, caught_up=caught_up)

    def hold_back(self, topic: str, offset: int) -> Slot | None:
        """Track an offset that is no usable record; the caller marks its slot done."""
        return self._trackers[topic].add(offset)

    def feed(
        self,
        topic: str,
        offset: int,
        record: Record,
        *,
        clock_ns: int,
        appended_ns: int | None = None,
        replay: bool = False,
    ) -> None:
        """Take one record.

        Args:
            topic: the input topic it was read from.
            offset: its offset; read again, it is ignored.
            record: decoded.
            clock_ns: the worker's monotonic clock.
            appended_ns: the broker's time of append, where it says so.
            replay: the record was on the log before this worker got the partition, so
                one that belongs to stored windows was scored, not late.
        """
        slot = self._trackers[topic].add(offset)
        if slot is None:
            return
        key = ConversationKey(record.tenant, record.conversation)
        conversation = self._conversations.get(key)
        if conversation is None:
            conversation = _Conversation(key, self._new_gate(key.tenant), clock_ns)
            self._conversations[key] = conversation
        conversation.last_clock_ns = clock_ns
        held = Held(topic, record, slot)
        self.held_bytes += held.size
        if conversation.loaded is None:
            conversation.waiting.append((held, clock_ns, appended_ns, replay))
        else:
            self._take(conversation, held, clock_ns, appended_ns, replay=replay)

    # what the database says

    def unloaded(self) -> list[ConversationKey]:
        """Conversations whose stored progress must be loaded before they go on."""
        return [key for key, item in self._conversations.items() if item.loaded is None]

    def load(self, key: ConversationKey, stored: StoredConversation) -> None:
        """Answer to `unloaded`; the records that waited are taken now."""
        conversation = self._conversations.get(key)
        if conversation is None or conversation.loaded is not None:
            return
        conversation.loaded = stored
        waiting, conversation.waiting = conversation.waiting, []
        for held, clock_ns, appended_ns, replay in waiting:
            self._take(conversation, held, clock_ns, appended_ns, replay=replay)

    def stored(self, key: ParticipantKey, progress: Progress) -> None:
        """The closing of `key` is in the database; its records may go."""
        participant = self._find(key)
        if participant is not None:
            participant.resume(progress)
            self._collect_freed(participant)

    rejected = stored
    """The database holds other progress than the closing was built on: go on after that.

    The records are still held, so the windows after it are drafted again from them.
    """

    def forget(self, key: ParticipantKey) -> None:
        """Give the closing of `key` up for now; it will be drafted again."""
        participant = self._find(key)
        if participant is not None:
            participant.busy = False

    def erase(self, key: ConversationKey) -> None:
        """The conversation was erased: drop what is held of it, and what still comes."""
        if key in self._conversations:
            conversation = self._conversations[key]
            for held, *_ in conversation.waiting:
                self._drop(held)
            self.conversation_ended(key)

    # what policy decided

    def policy_news(self) -> list[PolicyNews]:
        """Conversations of which policy decided something since `recorded` last answered."""
        return [
            PolicyNews(
                key=key,
                run=self.run,
                # of a conversation that is over nobody knows the facts any more
                rulings=() if item.over else item.gate.rulings(item.decided[1], item.first_ns or 0),
                consents=item.gate.consents(),
                passed={name: item.participants[name].passed_ns for name in item.decided[1]},
                events=item.decided[0],
            )
            for key, item in self._conversations.items()
            if item.has_news
        ]

    def recorded(self, news: PolicyNews) -> None:
        """`news` is in the database."""
        conversation = self._conversations.get(news.key)
        if conversation is not None:
            conversation.recorded = (news.events, frozenset(news.passed))

    def outdated(self, closing: Closing) -> bool:
        """Whether policy forbids by now what a window of `closing` holds; it is drafted again."""
        participant = self._find(closing.key)
        if participant is None:
            return True
        key = ConversationKey(closing.key.tenant, closing.key.conversation)
        gate = self._conversations[key].gate
        permitted = partial(gate.permitted_throughout, participant.id)
        return not all(participant.may_keep(draft, permitted) for draft in closing.drafts)

    # the end

    def conversation_ended(self, key: ConversationKey) -> None:
        """The end of the conversation is stored: nothing of it is needed any more."""
        conversation = self._conversations.pop(key, None)
        if conversation is None:
            return
        for held in conversation.control_held:
            held.slot.done = True
        for participant in conversation.participants.values():
            participant.release_all()
            self._collect_freed(participant)

    # what comes out

    def committable(self) -> dict[str, int]:
        """For each topic the offset before which everything is done."""
        offsets = ((topic, tracker.committable()) for topic, tracker in self._trackers.items())
        return {topic: offset for topic, offset in offsets if offset is not None}

    def take_misplaced(self) -> list[Misplaced]:
        """Records that must be delivered elsewhere since the last call."""
        misplaced, self._misplaced = self._misplaced, []
        return misplaced

    def advance(self, clock_ns: int, *, hurry: bool = False) -> list[Closing]:
        """Windows that became final, grouped by participant; those participants are busy now.

        `hurry` closes what only waits for a slow track, as partial: memory is short and
        nothing is left to pause.
        """
        closings: list[Closing] = []
        for conversation in list(self._conversations.values()):
            if conversation.loaded is None or conversation.ending:
                continue
            self._end_silent(conversation)
            control_until_ns = self._control_until(conversation, clock_ns)
            if control_until_ns is None:
                continue
            for participant in conversation.participants.values():
                participant.settle(self._track_rows, self._timing)
                if not participant.busy:
                    closing = self._close(
                        conversation, participant, control_until_ns, clock_ns, hurry=hurry
                    )
                    self._collect_freed(participant)
                    if closing is not None:
                        closings.append(closing)
        return closings

    def provisional(self, clock_ns: int) -> list[WindowDraft]:
        """Newest windows that lack only words that may still come. Best effort, never stored."""
        drafts = []
        for conversation in self._conversations.values():
            if conversation.loaded is None or conversation.ended_ns is not None:
                continue
            control_until_ns = self._control_until(conversation, clock_ns)
            if control_until_ns is None:
                continue
            for participant in conversation.participants.values():
                end_ns = participant.provisional_window(
                    control_until_ns=control_until_ns, timing=self._timing
                )
                if end_ns is not None:
                    draft = self._draft(conversation, participant, end_ns, frozenset(), final=False)
                    if draft is not None:
                        drafts.append(draft)
        return drafts

    def finished(self) -> Iterator[tuple[ConversationKey, ConversationFacts, int]]:
        """Conversations whose last window is stored, with the time of their end.

        Each is offered once; `conversation_ended` answers.
        """
        for conversation in self._conversations.values():
            if conversation.ended_ns is None or conversation.loaded is None:
                continue
            if conversation.over or conversation.ending or conversation.has_news:
                continue  # control records are let go only once their decisions are stored
            if all(p.finished for p in conversation.participants.values()):
                conversation.ending = True
                yield conversation.key, conversation.facts(), conversation.ended_ns

    def replayed(self) -> list[ConversationKey]:
        """Conversations that were over before this worker read them: safe to drop."""
        return [key for key, item in self._conversations.items() if item.over and not item.has_news]

    def ahead(self) -> list[str]:
        """Media topics that are ahead of the track that holds their participants back.

        Pausing these frees memory without delaying any window. Words and control are
        never among them.
        """
        topics_ahead: set[str] = set()
        for conversation in self._conversations.values():
            for participant in conversation.participants.values():
                frontiers = {
                    track: clock.frontier_ns
                    for track, clock in participant.clocks.items()
                    if not clock.ended
                }
                if len(frontiers) > 1:
                    slowest = min(frontiers.values())
                    topics_ahead |= {
                        TOPIC_OF[track] for track, at_ns in frontiers.items() if at_ns > slowest
                    }
        return sorted(topics_ahead - {topics.TRANSCRIPTS})

    @property
    def conversations(self) -> int:
        """How many conversations are in memory."""
        return len(self._conversations)

    # inside

    def _find(self, key: ParticipantKey) -> Participant | None:
        conversation = self._conversations.get(ConversationKey(key.tenant, key.conversation))
        return conversation.participants.get(key.participant) if conversation else None

    def _collect_freed(self, participant: Participant) -> None:
        self.held_bytes -= participant.freed_bytes
        participant.freed_bytes = 0

    def _drop(self, held: Held) -> None:
        held.slot.done = True
        self.held_bytes -= held.size

    def _misplace(self, held: Held, reason: Reason, detail: str) -> None:
        self.held_bytes -= held.size
        self._misplaced.append(Misplaced(held.topic, held.record, held.slot, reason, detail))

    def _take(
        self,
        conversation: _Conversation,
        held: Held,
        clock_ns: int,
        appended_ns: int | None,
        *,
        replay: bool,
    ) -> None:
        record = held.record
        if conversation.loaded is not None and conversation.loaded.erased:
            self._drop(held)
            return
        if isinstance(record, ControlEvent):
            self._take_control(conversation, held, record, clock_ns, replay=replay)
            return
        event_ns = extent(record)[0]
        if appended_ns is not None and event_ns > appended_ns + self._timing.future_ns:
            self._misplace(held, Reason.CLOCK, f"{event_ns - appended_ns} ns after its append time")
            return
        newest_ns = max(conversation.frontier_ns, conversation.first_ns or -1)
        if 0 <= newest_ns < event_ns - self._timing.session_gap_ns:
            self._misplace(held, Reason.CLOCK, f"{event_ns - newest_ns} ns after the newest record")
            return
        self._take_media(conversation, held, record, clock_ns, replay=replay)

    def _take_media(
        self,
        conversation: _Conversation,
        held: Held,
        record: MediaRecord,
        clock_ns: int,
        *,
        replay: bool,
    ) -> None:
        track = _TRACK_OF[held.topic]
        unwanted = False
        if not conversation.over:
            participant = self._participant(conversation, record.participant, extent(record)[0])
            withdrawn_ns = conversation.gate.withdrawn_at(participant.id)
            if record.kind is not Kind.DATA or participant.needs(track, record):
                participant.hold(track, held, record, clock_ns)
                if withdrawn_ns is not None:
                    participant.withdraw(withdrawn_ns)
                self._collect_freed(participant)
                return
            unwanted = withdrawn_ns is not None and extent(record)[1] > withdrawn_ns
        if replay or unwanted or record.kind is not Kind.DATA:
            self._drop(held)
        else:
            self._misplace(held, Reason.LATE, "every window that could hold it is final")

    def _participant(
        self, conversation: _Conversation, name: str, at_ns: int, *, announced: bool = False
    ) -> Participant:
        participant = conversation.participants.get(name)
        if participant is None:
            participant = Participant(name, at_ns, self._grid, self._look_back_ns)
            stored = conversation.loaded.progress.get(name) if conversation.loaded else None
            participant.resume(stored)
            if conversation.ended_ns is not None:
                participant.left_ns = conversation.ended_ns
                participant.leaving_clock_ns = conversation.last_clock_ns
            conversation.participants[name] = participant
            if conversation.first_ns is None:
                conversation.first_ns = at_ns
        elif not participant.announced:
            participant.joined_ns = at_ns if announced else min(participant.joined_ns, at_ns)
        participant.announced |= announced
        return participant

    def _take_control(
        self,
        conversation: _Conversation,
        held: Held,
        event: ControlEvent,
        clock_ns: int,
        *,
        replay: bool,
    ) -> None:
        stored = conversation.loaded
        if stored is not None and stored.ended_ns is not None:
            self._take_over(conversation, stored, held, event, replay=replay)
            return
        if event.kind is ControlKind.STARTED:
            if conversation.started is not None:
                if event.at_ns == conversation.started.at_ns:
                    self._drop(held)
                else:
                    detail = f"it started at {conversation.started.at_ns} ns"
                    self._misplace(held, Reason.REUSED, detail)
                return
            conversation.started = event
            conversation.first_ns = event.at_ns
        conversation.gate.apply(event)
        conversation.control_held.append(held)
        named = event.participant != EVERYBODY
        if event.kind in (ControlKind.STARTED, ControlKind.PARTICIPANT_JOINED) and named:
            self._announce(conversation, event)
        elif event.kind is ControlKind.PARTICIPANT_LEFT and named:
            participant = self._participant(conversation, event.participant, event.at_ns)
            self._leave(participant, event.at_ns, clock_ns)
        elif event.kind is ControlKind.ENDED:
            self._end(conversation, event.at_ns, clock_ns)
        self._withdraw(conversation)

    def _take_over(
        self,
        conversation: _Conversation,
        stored: StoredConversation,
        held: Held,
        event: ControlEvent,
        *,
        replay: bool,
    ) -> None:
        """Take an event of a conversation that is over: consent can still be withdrawn."""
        reused = event.kind is ControlKind.STARTED and event.at_ns != stored.started_ns
        if event.kind is ControlKind.CONSENT_CHANGED and event.attributes.get("consent") == "no":
            conversation.gate.apply(event)
            conversation.control_held.append(held)
        elif reused:
            self._misplace(held, Reason.REUSED, f"it ended at {stored.ended_ns} ns")
        elif replay:
            self._drop(held)
        else:
            self._misplace(held, Reason.LATE, "the conversation is over")

    def _announce(self, conversation: _Conversation, event: ControlEvent) -> None:
        participant = self._participant(
            conversation, event.participant, event.at_ns, announced=True
        )
        participant.role = event.role
        participant.declared |= event.tracks
        subject = event.attributes.get("subject")
        if subject:
            participant.subject = self._digest(event.tenant, subject)

    def _withdraw(self, conversation: _Conversation) -> None:
        """Let go at once of what was recorded after a withdrawal."""
        for participant in conversation.participants.values():
            since_ns = conversation.gate.withdrawn_at(participant.id)
            if since_ns is not None:
                participant.withdraw(since_ns)
                self._collect_freed(participant)

    def _leave(self, participant: Participant, at_ns: int, clock_ns: int) -> None:
        if participant.left_ns is None:
            participant.left_ns = at_ns
            participant.leaving_clock_ns = clock_ns

    def _end(self, conversation: _Conversation, at_ns: int, clock_ns: int) -> None:
        if conversation.ended_ns is None:
            conversation.ended_ns = at_ns
        for participant in conversation.participants.values():
            self._leave(participant, at_ns, clock_ns)

    def _end_silent(self, conversation: _Conversation) -> None:
        """A conversation without records for the session gap is over."""
        gap_ns = self._timing.session_gap_ns
        if conversation.ended_ns is None and all(
            row.quiet_for(conversation.last_clock_ns, gap_ns) for row in self._rows.values()
        ):
            newest_ns = max(conversation.frontier_ns, conversation.first_ns or 0)
            self._end(conversation, newest_ns, conversation.last_clock_ns)

    def _control_until(self, conversation: _Conversation, clock_ns: int) -> int | None:
        """Event time up to which every fact is known; None while `started` may still come."""
        row = self._rows[topics.CONTROL]
        if conversation.ended_ns is not None:
            return FOREVER
        if conversation.started is None and not row.quiet_for(
            conversation.first_clock_ns, self._timing.unannounced_ns
        ):
            return None
        return conversation.control.update(
            conversation.frontier_ns, clock_ns, row, settle_ns=self._timing.settle_ns
        )

    def _draft(
        self,
        conversation: _Conversation,
        participant: Participant,
        end_ns: int,
        given_up: frozenset[Track],
        *,
        final: bool,
        early: bool = False,
    ) -> WindowDraft | None:
        return participant.draft(
            conversation.key.tenant,
            conversation.key.conversation,
            end_ns,
            given_up=given_up,
            permitted=partial(conversation.gate.permitted_throughout, participant.id),
            final=final,
            partial=early,
        )

    def _close(
        self,
        conversation: _Conversation,
        participant: Participant,
        control_until_ns: int,
        clock_ns: int,
        *,
        hurry: bool,
    ) -> Closing | None:
        drafts: list[WindowDraft] = []
        closed_until_ns = participant.passed_ns
        for end_ns, given_up, early in participant.final_windows(
            control_until_ns=control_until_ns,
            clock_ns=clock_ns,
            rows=self._track_rows,
            timing=self._timing,
            permitted=partial(conversation.gate.permitted_throughout, participant.id),
            hurry=hurry,
        ):
            draft = self._draft(
                conversation, participant, end_ns, given_up, final=True, early=early
            )
            participant.decided = True
            closed_until_ns = end_ns
            if draft is not None:
                drafts.append(draft)
                if len(drafts) >= self._max_closing:
                    break
        if not drafts:
            participant.skip_to(closed_until_ns)
            return None
        participant.busy = True
        return Closing(
            key=ParticipantKey(
                conversation.key.tenant, self.run, conversation.key.conversation, participant.id
            ),
            expected=participant.progress,
            drafts=tuple(drafts),
            closed_until_ns=closed_until_ns,
            conversation=conversation.facts(),
            left_ns=participant.left_ns if closed_until_ns >= participant.last_end_ns else None,
        )
