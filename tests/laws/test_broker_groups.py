"""Laws of the embedded broker's consumer groups, for any order of what members do."""

from dataclasses import dataclass, field

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from streams.broker.codes import ErrorCode
from streams.broker.groups import Committed, Group, GroupState, Join, Joined, Synced

SESSION_S, REBALANCE_S = 10.0, 30.0
PROTOCOLS = ({"range": b"r", "sticky": b"s"}, {"sticky": b"s", "range": b"r"}, {"range": b"r"})


@dataclass
class Consumer:
    """A client and every answer it ever got."""

    protocols: dict[str, bytes]
    id: str = ""
    generation: int = -1
    waits: bool = False
    joins: list[Joined] = field(default_factory=list)
    syncs: list[Synced] = field(default_factory=list)

    def joined(self, answer: Joined) -> None:
        assert self.waits, "answered twice"
        self.waits = False
        self.joins.append(answer)
        self.id = "" if answer.error is ErrorCode.UNKNOWN_MEMBER_ID else answer.member
        if answer.error is ErrorCode.NONE:
            self.generation = answer.generation

    def synced(self, answer: Synced) -> None:
        assert self.waits, "answered twice"
        self.waits = False
        self.syncs.append(answer)


class GroupMachine(RuleBasedStateMachine):
    """Consumers come, go, fall silent and misbehave while time passes."""

    consumers = Bundle("consumers")

    def __init__(self) -> None:
        super().__init__()
        self.group = Group("g", initial_delay_s=0.5)
        self.now_s = 0.0
        self.everyone: list[Consumer] = []
        self.generation = 0

    @rule(target=consumers, protocols=st.sampled_from(PROTOCOLS))
    def a_consumer_starts(self, protocols: dict[str, bytes]) -> Consumer:
        self.everyone.append(Consumer(protocols))
        return self.everyone[-1]

    @rule(who=consumers, names_itself=st.booleans())
    def it_joins(self, who: Consumer, *, names_itself: bool) -> None:
        assume(not who.waits)
        who.waits = True
        join = Join(
            who.id, "c", "h", "consumer", who.protocols, SESSION_S, REBALANCE_S, names_itself
        )
        self.group.join(join, who.joined, self.now_s)

    @rule(who=consumers)
    def it_syncs(self, who: Consumer) -> None:
        assume(not who.waits and who.id)
        who.waits = True
        shares = {name: name.encode() for name in self.group.members}
        leads = who.id == self.group.leader
        self.group.sync(who.id, who.generation, shares if leads else {}, who.synced, self.now_s)

    @rule(who=consumers)
    def it_beats(self, who: Consumer) -> None:
        error = self.group.heartbeat(who.id, who.generation, self.now_s)
        if error is ErrorCode.NONE:
            assert self.group.state in {GroupState.STABLE, GroupState.COMPLETING}
            assert who.generation == self.group.generation

    @rule(who=consumers)
    def it_leaves(self, who: Consumer) -> None:
        assume(who.id)
        self.group.leave(who.id, self.now_s)
        assert who.id not in self.group.members
        who.id = ""

    @rule(who=consumers, offset=st.integers(0, 100))
    def it_commits(self, who: Consumer, offset: int) -> None:
        before = dict(self.group.offsets)
        error = self.group.commit(
            who.id, who.generation, {("t", 0): Committed(offset, None)}, self.now_s
        )
        of_now = who.id in self.group.members and who.generation == self.group.generation
        if self.group.members and not of_now:
            assert error is not ErrorCode.NONE
        assert (self.group.offsets != before) <= (error is ErrorCode.NONE)

    @rule(seconds=st.sampled_from((0.1, 1.0, 9.0, 31.0)))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds
        self.group.tick(self.now_s)

    @invariant()
    def the_generation_only_grows(self) -> None:
        assert self.group.generation >= self.generation
        self.generation = self.group.generation

    @invariant()
    def who_waits_to_join_is_a_member_until_answered(self) -> None:
        waiting = {member.id for member in self.group.members.values() if member.joining}
        assert (self.group.state is GroupState.PREPARING) or not waiting

    @invariant()
    def one_member_leads_a_settled_group_in_a_protocol_that_all_speak(self) -> None:
        if self.group.state in {GroupState.STABLE, GroupState.COMPLETING}:
            assert self.group.leader in self.group.members
            assert all(self.group.protocol in m.join.protocols for m in self.group.members.values())

    @invariant()
    def a_stable_group_gave_each_member_its_own_share(self) -> None:
        if self.group.state is GroupState.STABLE:
            for member in self.group.members.values():
                assert member.assignment == member.id.encode()

    def teardown(self) -> None:
        """With nobody to answer any more, time alone settles everything."""
        for _ in range(3):
            self.now_s += REBALANCE_S + SESSION_S
            self.group.tick(self.now_s)
        assert self.group.state is GroupState.EMPTY
        assert not self.group.members
        assert not any(who.waits for who in self.everyone)


TestAnyOrderOfEvents = GroupMachine.TestCase
