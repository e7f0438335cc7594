"""Requests of consumer groups: membership, offsets, and what the admin client asks of them."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

from kafka.protocol.admin import DeleteGroupsResponse, DescribeGroupsResponse, ListGroupsResponse
from kafka.protocol.consumer.group import (
    HeartbeatResponse,
    JoinGroupResponse,
    LeaveGroupResponse,
    OffsetCommitResponse,
    OffsetFetchResponse,
    SyncGroupResponse,
)
from kafka.protocol.metadata import CoordinatorType, FindCoordinatorResponse

from streams.broker.codes import ErrorCode, RefusedError
from streams.broker.groups import Committed, Group, GroupState, Join, Joined, Synced
from streams.broker.node import NODE_ID, Node
from streams.broker.wire import Message, Request

Reply = TypeVar("Reply")
_NAMES_ITSELF_FROM = 4
"""Version of JoinGroup from which a new member asks twice (KIP-394)."""


async def find_coordinator(node: Node, request: Request) -> Message:
    """This node, for every group; for transactions, nobody."""
    if request.body.key_type != CoordinatorType.GROUP:
        return FindCoordinatorResponse(
            error_code=ErrorCode.INVALID_REQUEST,
            error_message="the embedded broker has no transactions",
            node_id=-1,
            host="",
            port=-1,
        )
    return FindCoordinatorResponse(
        error_code=ErrorCode.NONE, node_id=NODE_ID, host=node.host, port=node.port
    )


async def join_group(node: Node, request: Request) -> Message:
    """Answered when the rebalance that this join starts is complete."""
    body = request.body
    session_timeout_s = body.session_timeout_ms / 1000
    join = Join(
        member=body.member_id,
        client=request.client,
        host=request.peer,
        protocol_type=body.protocol_type,
        protocols={protocol.name: protocol.metadata for protocol in body.protocols},
        session_timeout_s=session_timeout_s,
        rebalance_timeout_s=body.rebalance_timeout_ms / 1000
        if body.rebalance_timeout_ms > 0
        else session_timeout_s,
        must_name_itself=request.version >= _NAMES_ITSELF_FROM,
    )
    group = node.groups.get(body.group_id)
    joined = await _answered(Joined, lambda reply: group.join(join, reply, node.monotonic_s()))
    return JoinGroupResponse(
        error_code=joined.error,
        generation_id=joined.generation,
        protocol_name=joined.protocol,
        leader=joined.leader,
        member_id=joined.member,
        members=[
            JoinGroupResponse.JoinGroupResponseMember(member_id=name, metadata=metadata)
            for name, metadata in joined.members.items()
        ],
    )


async def sync_group(node: Node, request: Request) -> Message:
    """Answered when the leader has said who gets what."""
    body = request.body
    assignments = {part.member_id: part.assignment for part in body.assignments}
    group = node.groups.get(body.group_id)
    synced = await _answered(
        Synced,
        lambda reply: group.sync(
            body.member_id, body.generation_id, assignments, reply, node.monotonic_s()
        ),
    )
    return SyncGroupResponse(error_code=synced.error, assignment=synced.assignment)


async def _answered(_kind: type[Reply], ask: Callable[[Callable[[Reply], None]], None]) -> Reply:
    """Wait for the one reply to `ask`, which may come at once or much later."""
    answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def reply(value: Reply) -> None:
        if not answer.done():  # the client may have gone
            answer.set_result(value)

    ask(reply)
    return await answer


async def heartbeat(node: Node, request: Request) -> Message:
    """A member lives."""
    body = request.body
    error = node.groups.get(body.group_id).heartbeat(
        body.member_id, body.generation_id, node.monotonic_s()
    )
    return HeartbeatResponse(error_code=error)


async def leave_group(node: Node, request: Request) -> Message:
    """A member goes."""
    body = request.body
    error = node.groups.get(body.group_id).leave(body.member_id, node.monotonic_s())
    return LeaveGroupResponse(error_code=error)


async def offset_commit(node: Node, request: Request) -> Message:
    """Keep the offsets of partitions that there are."""
    body = request.body
    offsets = {
        (topic.name, part.partition_index): Committed(
            part.committed_offset, part.committed_metadata
        )
        for topic in body.topics
        for part in topic.partitions
        if node.topics.has(topic.name, part.partition_index)
    }
    error = node.groups.get(body.group_id).commit(
        body.member_id, body.generation_id_or_member_epoch, offsets, node.monotonic_s()
    )
    if error is ErrorCode.NONE:
        node.save()
    topic_response = OffsetCommitResponse.OffsetCommitResponseTopic
    return OffsetCommitResponse(
        topics=[
            topic_response(
                name=topic.name,
                partitions=[
                    topic_response.OffsetCommitResponsePartition(
                        partition_index=part.partition_index,
                        error_code=error
                        if (topic.name, part.partition_index) in offsets
                        else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                    )
                    for part in topic.partitions
                ],
            )
            for topic in body.topics
        ]
    )


async def offset_fetch(node: Node, request: Request) -> Message:
    """Committed offsets of the named partitions, or of all that have one."""
    body = request.body
    group = node.groups.find(body.group_id)
    offsets = group.offsets if group else {}
    wanted: dict[str, list[int]] = {}
    if body.topics is None:
        for name, index in offsets:
            wanted.setdefault(name, []).append(index)
    else:
        wanted = {topic.name: list(topic.partition_indexes) for topic in body.topics}
    nothing = Committed(-1, "")
    topic_response = OffsetFetchResponse.OffsetFetchResponseTopic
    return OffsetFetchResponse(
        error_code=ErrorCode.NONE,
        topics=[
            topic_response(
                name=name,
                partitions=[
                    topic_response.OffsetFetchResponsePartition(
                        partition_index=index,
                        committed_offset=offsets.get((name, index), nothing).offset,
                        committed_leader_epoch=-1,
                        metadata=offsets.get((name, index), nothing).metadata or "",
                        error_code=ErrorCode.NONE,
                    )
                    for index in indexes
                ],
            )
            for name, indexes in wanted.items()
        ],
    )


async def describe_groups(node: Node, request: Request) -> Message:
    """State and members. A group that nobody named is `Dead`, as Kafka says it."""
    return DescribeGroupsResponse(
        groups=[_described(name, node.groups.find(name)) for name in request.body.groups]
    )


def _described(name: str, group: Group | None) -> Message:
    described = DescribeGroupsResponse.DescribedGroup
    if group is None:
        return described(
            error_code=ErrorCode.NONE,
            group_id=name,
            group_state="Dead",
            protocol_type="",
            protocol_data="",
            members=[],
        )
    settled = group.state is GroupState.STABLE
    return described(
        error_code=ErrorCode.NONE,
        group_id=name,
        group_state=group.state,
        protocol_type=group.protocol_type,
        protocol_data=group.protocol if settled else "",
        members=[
            described.DescribedGroupMember(
                member_id=member.id,
                client_id=member.join.client,
                client_host=f"/{member.join.host}",
                member_metadata=member.join.protocols[group.protocol] if settled else b"",
                member_assignment=member.assignment,
            )
            for member in group.members.values()
        ],
    )


async def list_groups(node: Node, request: Request) -> Message:
    """All groups, or those in the wanted states."""
    states: Iterable[str] = request.body.states_filter or ()
    return ListGroupsResponse(
        error_code=ErrorCode.NONE,
        groups=[
            ListGroupsResponse.ListedGroup(
                group_id=group.name, protocol_type=group.protocol_type, group_state=group.state
            )
            for group in node.groups
            if not states or group.state in states
        ],
    )


async def delete_groups(node: Node, request: Request) -> Message:
    """Forget empty groups with their offsets."""
    results = []
    for name in request.body.groups_names:
        error = ErrorCode.NONE
        try:
            node.groups.delete(name)
        except RefusedError as refused:
            error = refused.code
        results.append(DeleteGroupsResponse.DeletableGroupResult(group_id=name, error_code=error))
    node.save()
    return DeleteGroupsResponse(results=results)
