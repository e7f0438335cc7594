"""What there is and how it is set: metadata, topics, partitions, configs."""

from collections.abc import Callable, Mapping
from typing import Final

from kafka.protocol.admin import (
    CreatePartitionsResponse,
    CreateTopicsResponse,
    DeleteTopicsResponse,
    DescribeClusterResponse,
    DescribeConfigsResponse,
)
from kafka.protocol.metadata import MetadataResponse

from streams.broker.codes import ErrorCode, RefusedError
from streams.broker.node import CLUSTER_ID, NODE_ID, Node
from streams.broker.topics import CONFIG_DEFAULTS
from streams.broker.wire import Message, Request

_TOPIC_RESOURCE: Final = 2
_BROKER_RESOURCE: Final = 4
_SET_FOR_TOPIC: Final = 1
_DEFAULT: Final = 5
_EPOCH: Final = 0


async def metadata(node: Node, request: Request) -> Message:
    """This broker and the wanted topics (all, where none is named)."""
    body = request.body
    names = [topic.name for topic in node.topics]
    if body.topics is not None and (body.topics or request.version > 0):
        names = [topic.name for topic in body.topics]
    create = node.limits.auto_create_topics and body.allow_auto_topic_creation
    return MetadataResponse(
        brokers=[
            MetadataResponse.MetadataResponseBroker(
                node_id=NODE_ID, host=node.host, port=node.port, rack=None
            )
        ],
        cluster_id=CLUSTER_ID,
        controller_id=NODE_ID,
        topics=[_topic(node, name, create=create) for name in names],
    )


def _topic(node: Node, name: str, *, create: bool) -> Message:
    error, partitions = ErrorCode.NONE, 0
    try:
        if create and name not in node.topics:
            node.topics.create(name, node.limits.default_partitions, {})
            node.save()
        partitions = len(node.topics.get(name).partitions)
    except RefusedError as refused:
        error = refused.code
    topic = MetadataResponse.MetadataResponseTopic
    return topic(
        error_code=error,
        name=name,
        is_internal=False,
        partitions=[
            topic.MetadataResponsePartition(
                error_code=ErrorCode.NONE,
                partition_index=index,
                leader_id=NODE_ID,
                leader_epoch=_EPOCH,
                replica_nodes=[NODE_ID],
                isr_nodes=[NODE_ID],
                offline_replicas=[],
            )
            for index in range(partitions)
        ],
    )


async def describe_cluster(node: Node, _request: Request) -> Message:
    """The one broker."""
    return DescribeClusterResponse(
        error_code=ErrorCode.NONE,
        cluster_id=CLUSTER_ID,
        controller_id=NODE_ID,
        brokers=[
            DescribeClusterResponse.DescribeClusterBroker(
                broker_id=NODE_ID, host=node.host, port=node.port, rack=None
            )
        ],
    )


async def create_topics(node: Node, request: Request) -> Message:
    """Make topics; each has its own outcome."""
    body = request.body

    def create(wanted: Message) -> None:
        if wanted.replication_factor > 1:
            raise RefusedError(
                ErrorCode.INVALID_REPLICATION_FACTOR,
                f"replication factor {wanted.replication_factor}, this is one broker",
            )
        partitions = len(wanted.assignments) or wanted.num_partitions
        if partitions == -1:  # "what the broker thinks best"
            partitions = node.limits.default_partitions
        given = {config.name: config.value for config in wanted.configs if config.value is not None}
        if body.validate_only:
            node.topics.check(wanted.name, partitions, given)
        else:
            node.topics.create(wanted.name, partitions, given)

    results = []
    for wanted in body.topics:
        error, message = _outcome(create, wanted)
        results.append(
            CreateTopicsResponse.CreatableTopicResult(
                name=wanted.name, error_code=error, error_message=message
            )
        )
    node.save()
    return CreateTopicsResponse(topics=results)


async def delete_topics(node: Node, request: Request) -> Message:
    """Remove topics with their records and committed offsets."""
    results = []
    for name in request.body.topic_names:
        error, _message = _outcome(node.topics.delete, name)
        if error is ErrorCode.NONE:
            node.groups.forget_topic(name)
        results.append(DeleteTopicsResponse.DeletableTopicResult(name=name, error_code=error))
    node.save()
    return DeleteTopicsResponse(responses=results)


async def create_partitions(node: Node, request: Request) -> Message:
    """Add partitions to topics."""
    body = request.body

    def grow(wanted: Message) -> None:
        node.topics.grow(wanted.name, wanted.count, only_check=body.validate_only)

    results = []
    for wanted in body.topics:
        error, message = _outcome(grow, wanted)
        results.append(
            CreatePartitionsResponse.CreatePartitionsTopicResult(
                name=wanted.name, error_code=error, error_message=message
            )
        )
    node.save()
    return CreatePartitionsResponse(results=results)


async def describe_configs(node: Node, request: Request) -> Message:
    """Settings of topics and of the broker, with where each comes from."""
    results = []
    for resource in request.body.resources:
        error, message = ErrorCode.NONE, None
        given: Mapping[str, str] = {}
        defaults: Mapping[str, str] = {}
        try:
            given, defaults = _configs(node, resource.resource_type, resource.resource_name)
        except RefusedError as refused:
            error, message = refused.code, refused.message
        names = resource.configuration_keys
        results.append(
            DescribeConfigsResponse.DescribeConfigsResult(
                error_code=error,
                error_message=message,
                resource_type=resource.resource_type,
                resource_name=resource.resource_name,
                configs=[
                    DescribeConfigsResponse.DescribeConfigsResult.DescribeConfigsResourceResult(
                        name=name,
                        value=given.get(name, default),
                        read_only=False,
                        config_source=_SET_FOR_TOPIC if name in given else _DEFAULT,
                        is_sensitive=False,
                        synonyms=[],
                    )
                    for name, default in defaults.items()
                    if names is None or name in names
                ],
            )
        )
    return DescribeConfigsResponse(results=results)


def _configs(node: Node, kind: int, name: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What was set, and the defaults."""
    if kind == _TOPIC_RESOURCE:
        return node.topics.get(name).given, CONFIG_DEFAULTS
    if kind == _BROKER_RESOURCE and name in {"", str(NODE_ID)}:
        return {}, {
            "auto.create.topics.enable": str(node.limits.auto_create_topics).lower(),
            "message.max.bytes": CONFIG_DEFAULTS["max.message.bytes"],
            "num.partitions": str(node.limits.default_partitions),
        }
    raise RefusedError(
        ErrorCode.INVALID_REQUEST, f"no settings for resource {name!r} of type {kind}"
    )


def _outcome(act: Callable[[Message], None], on: Message) -> tuple[ErrorCode, str | None]:
    """Do one of several things, so that its failure is not that of the others."""
    try:
        act(on)
    except RefusedError as refused:
        return refused.code, refused.message
    return ErrorCode.NONE, None
