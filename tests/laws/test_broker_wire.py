"""Laws of the embedded broker's wire: whatever comes, it is a request or it is refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol.consumer import FetchRequest
from kafka.protocol.metadata import MetadataRequest

from streams.broker.server import APIS
from streams.broker.wire import API_VERSIONS, BadRequestError, decode

PEER = "127.0.0.1"
versions = st.sampled_from(
    [
        (api.key, version)
        for api in APIS.values()
        for version in range(api.min_version, api.max_version + 1)
    ]
)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_are_refused(frame: bytes) -> None:
    try:
        request = decode(frame, APIS, PEER)
    except BadRequestError:
        return
    assert request.body is not None or request.api.key == API_VERSIONS


@given(versions, st.integers(-1, 5), st.binary(max_size=200))
def test_any_body_behind_a_true_header_is_a_request_or_is_refused(
    kind: tuple[int, int], client_length: int, body: bytes
) -> None:
    frame = struct.pack(">hhih", *kind, 7, client_length) + body
    try:
        request = decode(frame, APIS, PEER)
    except BadRequestError:
        return
    assert (request.api.key, request.version, request.correlation_id) == (*kind, 7)


@given(
    st.integers(APIS[1].min_version, APIS[1].max_version),
    st.integers(0, (1 << 31) - 1),
    st.text("abc", max_size=5),
    st.dictionaries(
        st.text("abc.", min_size=1, max_size=9),
        st.lists(st.tuples(st.integers(0, 99), st.integers(0, 1 << 60)), max_size=3),
        max_size=3,
    ),
)
def test_what_a_client_encodes_is_what_the_broker_reads(
    version: int, number: int, client: str, wanted: dict[str, list[tuple[int, int]]]
) -> None:
    of_topic = FetchRequest.FetchTopic
    sent = FetchRequest(
        max_wait_ms=500,
        min_bytes=1,
        topics=[
            of_topic(
                topic=name,
                partitions=[
                    of_topic.FetchPartition(partition=index, fetch_offset=offset)
                    for index, offset in partitions
                ],
            )
            for name, partitions in wanted.items()
        ],
    )
    sent.API_VERSION = version
    sent.with_header(correlation_id=number, client_id=client)

    request = decode(bytes(sent.encode(header=True)), APIS, PEER)

    assert (request.correlation_id, request.client, request.wants_answer) == (number, client, True)
    assert [
        (topic.topic, [(part.partition, part.fetch_offset) for part in topic.partitions])
        for topic in request.body.topics
    ] == list(wanted.items())


def test_a_version_that_is_not_served_is_refused_with_those_that_are() -> None:
    sent = MetadataRequest(topics=None)
    sent.API_VERSION = 12
    sent.with_header(correlation_id=1, client_id="c")
    with pytest.raises(BadRequestError, match="version 12 is not served, 0 to 8 are"):
        decode(bytes(sent.encode(header=True)), APIS, PEER)
