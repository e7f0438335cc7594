"""Consumer groups: who is in, who leads, which generation. The classic protocol.

Pure: time comes in as `now_s` (monotonic seconds) and answers go out through the `reply`
that came with a request, at once or when the rebalance allows it.

    Empty ──join──► PreparingRebalance ──all have joined──► CompletingRebalance
      ▲                    ▲        ▲                               │ leader's sync
      └──last one leaves───┘        └──join, leave, expiry── Stable ◄┘

Source: Apache Kafka protocol guide, "Group membership API". Departures: the leader's
preference chooses the protocol instead of a vote, and members are never static.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

from streams.broker.codes import ErrorCode, RefusedError


class GroupState(StrEnum):
    """Names as DescribeGroups gives them."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


@dataclass(frozen=True, slots=True)
class Join:
    """A member asks to be in the next generation. `protocols` in order of preference."""

    member: str
    """Empty for a new one."""
    client: str
    host: str
    protocol_type: str
    protocols: Mapping[str, bytes]
    session_timeout_s: float
    rebalance_timeout_s: float
    must_name_itself: bool = False
    """Give a new member its id first and let it ask again with it (KIP-394): so a client
    that gave up on its first try leaves no ghost behind."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Answer to `Join`. `members` maps ids to metadata, for the leader only."""

    error: ErrorCode
    member: str
    generation: int = -1
    protocol: str = ""
    leader: str = ""
    members: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Synced:
    """Answer to a sync: what the member shall consume, in the words of its protocol."""

    error: ErrorCode
    assignment: bytes = b""


@dataclass(frozen=True, slots=True)
class Committed:
    """A committed offset: the next one to read."""

    offset: int
    metadata: str | None


@dataclass(slots=True)
class Member:
    """One consumer. It waits for an answer while `joining` or `syncing` is set."""

    id: str
    join: Join
    seen_s: float
    assignment: bytes = b""
    joining: Callable[[Joined], None] | None = None
    syncing: Callable[[Synced], None] | None = None

    def answer_join(self, answer: Joined) -> None:
        """Answer a waiting join, once."""
        reply, self.joining = self.joining, None
        if reply:
            reply(answer)

    def answer_sync(self, answer: Synced) -> None:
        """Answer a waiting sync, once."""
        reply, self.syncing = self.syncing, None
        if reply:
            reply(answer)


class Group:
    """One consumer group and its committed offsets.

    Args:
        name: the group id.
        initial_delay_s: how long an empty group waits for further members before its first
            generation, so that workers that start together are assigned once.
    """

    def __init__(self, name: str, initial_delay_s: float = 0.0) -> None:
        self.name = name
        self.state = GroupState.EMPTY
        self.generation = 0
        self.leader = ""
        self.protocol = ""
        self.protocol_type = ""
        self.members: dict[str, Member] = {}
        self.offsets: dict[tuple[str, int], Committed] = {}
        self._initial_delay_s = initial_delay_s
        self._not_before_s = 0.0
        self._give_up_s = 0.0
        self._promised: dict[str, float] = {}  # ids given out but not used yet, and until when
        self._numbers = count(1)

    def join(self, join: Join, reply: Callable[[Joined], None], now_s: float) -> None:
        """Add or renew a member, which starts a rebalance; answered when that is complete."""
        try:
            self._check(join)
        except RefusedError as refused:
            reply(Joined(refused.code, join.member))
            return
        name = join.member
        if not name:
            name = f"{join.client}-{next(self._numbers)}-{round(now_s * 1e6):x}"
            if join.must_name_itself:
                self._promised[name] = now_s + join.session_timeout_s
                reply(Joined(ErrorCode.MEMBER_ID_REQUIRED, name))
                return
        self._promised.pop(name, None)
        member = self.members.setdefault(name, Member(name, join, now_s))
        member.answer_join(Joined(ErrorCode.REBALANCE_IN_PROGRESS, name))  # asked again
        member.join, member.seen_s, member.joining = join, now_s, reply
        self.protocol_type = join.protocol_type
        self._rebalance(now_s)

    def sync(
        self,
        member: str,
        generation: int,
        assignments: Mapping[str, bytes],
        reply: Callable[[Synced], None],
        now_s: float,
    ) -> None:
        """Ask for one's assignment; the leader brings everybody's."""
        error = self._standing(member, generation)
        if error is ErrorCode.NONE and self.state is GroupState.PREPARING:
            error = ErrorCode.REBALANCE_IN_PROGRESS
        if error is not ErrorCode.NONE:
            reply(Synced(error))
            return
        asking = self.members[member]
        asking.seen_s = now_s
        asking.answer_sync(Synced(ErrorCode.REBALANCE_IN_PROGRESS))  # asked again
        if self.state is GroupState.STABLE:
            reply(Synced(ErrorCode.NONE, asking.assignment))
            return
        asking.syncing = reply
        if member == self.leader:
            self.state = GroupState.STABLE
            for other in self.members.values():
                other.assignment = assignments.get(other.id, b"")
                if other.syncing:
                    other.seen_s = now_s
                other.answer_sync(Synced(ErrorCode.NONE, other.assignment))

    def heartbeat(self, member: str, generation: int, now_s: float) -> ErrorCode:
        """A member lives. REBALANCE_IN_PROGRESS tells it to join again."""
        error = self._standing(member, generation)
        if error is ErrorCode.NONE:
            self.members[member].seen_s = now_s
            if self.state is GroupState.PREPARING:
                return ErrorCode.REBALANCE_IN_PROGRESS
        return error

    def leave(self, member: str, now_s: float) -> ErrorCode:
        """A member goes; the others share its partitions."""
        if self._promised.pop(member, None) is not None:
            return ErrorCode.NONE
        if member not in self.members:
            return ErrorCode.UNKNOWN_MEMBER_ID
        self._remove(member)
        self._rebalance(now_s)
        return ErrorCode.NONE

    def commit(
        self,
        member: str,
        generation: int,
        offsets: Mapping[tuple[str, int], Committed],
        now_s: float,
    ) -> ErrorCode:
        """Keep offsets. From a member of this generation, or from anybody while empty."""
        if not self.name:
            return ErrorCode.INVALID_GROUP_ID
        if generation >= 0 or self.members:
            error = self._standing(member, generation)
            if error is ErrorCode.NONE and self.state is GroupState.COMPLETING:
                error = ErrorCode.REBALANCE_IN_PROGRESS
            if error is not ErrorCode.NONE:
                return error
            self.members[member].seen_s = now_s
        self.offsets.update(offsets)
        return ErrorCode.NONE

    def tick(self, now_s: float) -> None:
        """Let time pass: drop members that fell silent, complete what waited long enough."""
        self._promised = {name: end for name, end in self._promised.items() if now_s < end}
        silent = [
            member.id
            for member in self.members.values()
            if not (member.joining or member.syncing)
            and now_s - member.seen_s > member.join.session_timeout_s
        ]
        for name in silent:
            self._remove(name)
        if silent:
            self._rebalance(now_s)
        self._complete(now_s)

    def _check(self, join: Join) -> None:
        if not self.name:
            raise RefusedError(ErrorCode.INVALID_GROUP_ID, "the group has no name")
        if join.session_timeout_s <= 0:
            raise RefusedError(
                ErrorCode.INVALID_SESSION_TIMEOUT, f"session timeout {join.session_timeout_s} s"
            )
        if join.member and join.member not in self.members and join.member not in self._promised:
            raise RefusedError(ErrorCode.UNKNOWN_MEMBER_ID, f"no member {join.member}")
        others = [member for member in self.members.values() if member.id != join.member]
        common = set(join.protocols).intersection(*(other.join.protocols for other in others))
        if not common or any(o.join.protocol_type != join.protocol_type for o in others):
            raise RefusedError(
                ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
                f"{sorted(join.protocols)} has nothing in common with the other members",
            )

    def _standing(self, member: str, generation: int) -> ErrorCode:
        if member not in self.members:
            return ErrorCode.UNKNOWN_MEMBER_ID
        if generation != self.generation:
            return ErrorCode.ILLEGAL_GENERATION
        return ErrorCode.NONE

    def _remove(self, name: str) -> None:
        member = self.members.pop(name)
        member.answer_join(Joined(ErrorCode.UNKNOWN_MEMBER_ID, name))
        member.answer_sync(Synced(ErrorCode.UNKNOWN_MEMBER_ID))

    def _rebalance(self, now_s: float) -> None:
        if self.state is not GroupState.PREPARING:
            empty = self.state is GroupState.EMPTY
            self.state = GroupState.PREPARING
            for member in self.members.values():
                member.answer_sync(Synced(ErrorCode.REBALANCE_IN_PROGRESS))
            patience_s = max((m.join.rebalance_timeout_s for m in self.members.values()), default=0)
            self._not_before_s = now_s + (self._initial_delay_s if empty else 0.0)
            self._give_up_s = max(now_s + patience_s, self._not_before_s)
        self._complete(now_s)

    def _complete(self, now_s: float) -> None:
        """Begin the next generation once everybody has joined, or without the missing."""
        if self.state is not GroupState.PREPARING or now_s < self._not_before_s:
            return
        missing = [member.id for member in self.members.values() if not member.joining]
        if missing and now_s < self._give_up_s:
            return
        for name in missing:
            self._remove(name)
        if not self.members:
            self.state, self.leader, self.protocol = GroupState.EMPTY, "", ""
            return
        self.generation += 1
        self.state = GroupState.COMPLETING
        if self.leader not in self.members:
            self.leader = next(iter(self.members))
        offered = [member.join.protocols for member in self.members.values()]
        self.protocol = next(
            name
            for name in self.members[self.leader].join.protocols
            if all(name in protocols for protocols in offered)
        )
        everybody = {m.id: m.join.protocols[self.protocol] for m in self.members.values()}
        for member in self.members.values():
            member.seen_s, member.assignment = now_s, b""
            member.answer_join(
                Joined(
                    ErrorCode.NONE,
                    member.id,
                    self.generation,
                    self.protocol,
                    self.leader,
                    everybody if member.id == self.leader else {},
                )
            )


class Groups:
    """All groups by name; one comes into being when it is first named."""

    def __init__(self, initial_delay_s: float) -> None:
        self._initial_delay_s = initial_delay_s
        self._groups: dict[str, Group] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(tuple(self._groups.values()))

    def find(self, name: str) -> Group | None:
        """The group, if it was ever named."""
        return self._groups.get(name)

    def get(self, name: str) -> Group:
        """The group, made if need be."""
        if name not in self._groups:
            self._groups[name] = Group(name, self._initial_delay_s)
        return self._groups[name]

    def delete(self, name: str) -> None:
        """Forget an empty group and its offsets. Raises RefusedError."""
        group = self._groups.get(name)
        if group is None:
            raise RefusedError(ErrorCode.GROUP_ID_NOT_FOUND, f"no group {name}")
        if group.members:
            raise RefusedError(
                ErrorCode.NON_EMPTY_GROUP, f"group {name} has {len(group.members)} members"
            )
        del self._groups[name]

    def forget_topic(self, topic: str) -> None:
        """A topic is gone: so are its committed offsets."""
        for group in self:
            group.offsets = {key: at for key, at in group.offsets.items() if key[0] != topic}

    def tick(self, now_s: float) -> None:
        """Let time pass for every group."""
        for group in self:
            group.tick(now_s)
