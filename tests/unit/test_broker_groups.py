"""Consumer groups of the embedded broker: the journeys of one to three members."""

import pytest

from streams.broker.codes import ErrorCode, RefusedError
from streams.broker.groups import Committed, Group, Groups, GroupState, Join, Joined, Synced


class Client:
    """A consumer in a group, and the last answers it got."""

    def __init__(self, group: Group, *, names_itself: bool = False) -> None:
        self.group = group
        self.names_itself = names_itself
        self.id = ""
        self.joined: Joined | None = None
        self.synced: Synced | None = None

    def join(self, now_s: float, protocol: str = "range") -> "Client":
        self.joined = None
        self.group.join(
            Join(self.id, "c", "h", "consumer", {protocol: b"m"}, 10.0, 30.0, self.names_itself),
            self._on_join,
            now_s,
        )
        return self

    def sync(self, now_s: float, **shares: bytes) -> "Client":
        assert self.joined
        self.synced = None
        self.group.sync(self.id, self.joined.generation, shares, self._on_sync, now_s)
        return self

    def heartbeat(self, now_s: float) -> ErrorCode:
        assert self.joined
        return self.group.heartbeat(self.id, self.joined.generation, now_s)

    def commit(self, offset: int, now_s: float) -> ErrorCode:
        generation = self.joined.generation if self.joined else -1
        return self.group.commit(self.id, generation, {("t", 0): Committed(offset, None)}, now_s)

    def _on_join(self, answer: Joined) -> None:
        self.joined, self.id = answer, answer.member

    def _on_sync(self, answer: Synced) -> None:
        self.synced = answer


def settled(group: Group, *clients: Client, now_s: float) -> None:
    """Everybody has joined: let the leader share out and all others ask."""
    leader = next(client for client in clients if client.id == group.leader)
    shares = {client.id: client.id.encode() for client in clients}
    for client in clients:
        if client is not leader:
            client.sync(now_s)
    leader.sync(now_s, **shares)
    for client in clients:
        assert client.synced == Synced(ErrorCode.NONE, client.id.encode())
    assert group.state is GroupState.STABLE


def test_members_that_start_together_are_assigned_once() -> None:
    group = Group("g", initial_delay_s=0.1)
    one, two = Client(group).join(0.0), Client(group).join(0.05)
    group.tick(0.09)
    assert one.joined is None

    group.tick(0.1)
    assert one.joined
    assert two.joined
    assert one.joined.generation == two.joined.generation == 1
    assert set(one.joined.members) == {one.id, two.id}, "the leader learns of all"
    assert not two.joined.members, "others do not"
    settled(group, one, two, now_s=0.2)


def test_a_newcomer_waits_until_the_others_have_joined_again() -> None:
    group = Group("g")
    one = Client(group).join(0.0)
    settled(group, one, now_s=0.0)

    two = Client(group).join(1.0)
    assert two.joined is None
    assert one.heartbeat(1.1) is ErrorCode.REBALANCE_IN_PROGRESS
    one.join(1.2)
    assert two.joined
    assert two.joined.generation == 2
    settled(group, one, two, now_s=1.3)


def test_a_member_that_falls_silent_is_replaced() -> None:
    group = Group("g")
    one = Client(group).join(0.0)
    two = Client(group).join(0.0)
    one.join(0.0)
    settled(group, one, two, now_s=0.0)
    one.heartbeat(9.0)

    group.tick(10.5)  # the session of `two` is over, that of `one` is not

    assert two.id not in group.members
    assert one.heartbeat(10.6) is ErrorCode.REBALANCE_IN_PROGRESS
    assert two.heartbeat(10.6) is ErrorCode.UNKNOWN_MEMBER_ID
    one.join(10.7)
    settled(group, one, now_s=10.8)


def test_who_does_not_join_again_in_time_is_left_out() -> None:
    group = Group("g")
    one = Client(group).join(0.0)
    settled(group, one, now_s=0.0)
    two = Client(group).join(1.0)
    for now_s in range(2, 31):  # it lives, but never answers the rebalance
        one.heartbeat(float(now_s))
        group.tick(float(now_s))
    assert two.joined is None

    group.tick(31.1)
    assert two.joined
    assert set(group.members) == {two.id}


def test_the_group_goes_on_when_the_leader_leaves() -> None:
    group = Group("g")
    one = Client(group).join(0.0)
    two = Client(group).join(0.0)
    one.join(0.0)
    settled(group, one, two, now_s=0.0)

    assert group.leave(one.id, 1.0) is ErrorCode.NONE
    two.join(1.1)
    assert group.leader == two.id
    settled(group, two, now_s=1.2)
    group.leave(two.id, 2.0)
    assert group.state is GroupState.EMPTY


def test_the_leader_dies_before_it_shares_out() -> None:
    group = Group("g")
    one = Client(group).join(0.0)
    two = Client(group).join(0.0)
    one.join(0.0)
    two.sync(0.1)
    assert two.synced is None

    group.leave(one.id, 0.2)
    assert two.synced == Synced(ErrorCode.REBALANCE_IN_PROGRESS)


def test_a_new_member_is_named_before_it_is_let_in() -> None:
    group = Group("g")
    one = Client(group, names_itself=True).join(0.0)
    assert one.joined
    assert one.joined.error is ErrorCode.MEMBER_ID_REQUIRED
    assert not group.members
    one.join(0.1)
    assert one.joined.error is ErrorCode.NONE
    settled(group, one, now_s=0.2)


def test_a_name_that_was_not_given_out_is_refused() -> None:
    group = Group("g")
    stranger = Client(group)
    stranger.id = "invented"
    stranger.join(0.0)
    assert stranger.joined
    assert stranger.joined.error is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_member_that_speaks_no_common_protocol_is_refused() -> None:
    group = Group("g")
    one = Client(group).join(0.0)
    other = Client(group).join(0.1, protocol="sticky")
    assert other.joined
    assert other.joined.error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    settled(group, one, now_s=0.2)


def test_only_this_generation_commits() -> None:
    group = Group("g")
    one = Client(group).join(0.0)
    settled(group, one, now_s=0.0)
    assert one.commit(5, 0.1) is ErrorCode.NONE

    stale = one.joined
    two = Client(group).join(1.0)
    assert one.commit(6, 1.1) is ErrorCode.NONE, "it may still commit before it joins again"
    one.join(1.2)
    assert two.commit(0, 1.3) is ErrorCode.REBALANCE_IN_PROGRESS, "nothing is assigned yet"
    settled(group, one, two, now_s=1.4)
    one.joined = stale
    assert one.commit(7, 1.5) is ErrorCode.ILLEGAL_GENERATION
    assert Client(group).commit(8, 1.6) is ErrorCode.UNKNOWN_MEMBER_ID
    assert group.offsets == {("t", 0): Committed(6, None)}


def test_an_empty_group_takes_offsets_from_anybody() -> None:
    group = Group("g")
    assert Client(group).commit(8, 0.0) is ErrorCode.NONE
    assert group.offsets == {("t", 0): Committed(8, None)}


def test_a_group_without_a_name_is_refused() -> None:
    group = Group("")
    one = Client(group).join(0.0)
    assert one.joined
    assert one.joined.error is ErrorCode.INVALID_GROUP_ID
    assert Client(group).commit(8, 0.0) is ErrorCode.INVALID_GROUP_ID


def test_only_an_empty_group_is_deleted() -> None:
    groups = Groups(initial_delay_s=0.0)
    one = Client(groups.get("g")).join(0.0)
    with pytest.raises(RefusedError) as refused:
        groups.delete("g")
    assert refused.value.code is ErrorCode.NON_EMPTY_GROUP
    groups.get("g").leave(one.id, 1.0)
    groups.delete("g")
    with pytest.raises(RefusedError) as refused:
        groups.delete("g")
    assert refused.value.code is ErrorCode.GROUP_ID_NOT_FOUND
