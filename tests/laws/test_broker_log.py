"""Laws of the embedded broker's log: what was answered is kept, in order, once."""

from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from kafka.record import MemoryRecords

from streams.broker.batch import parse, split
from streams.broker.codes import ErrorCode, RefusedError
from streams.broker.journal import Journal
from streams.broker.log import PartitionLog
from tests.broker_records import batch_of, values_in

values = st.lists(st.binary(max_size=40), min_size=1, max_size=5)
batches = st.lists(values, min_size=1, max_size=8)


def _log_of(contents: list[list[bytes]]) -> PartitionLog:
    log = PartitionLog()
    for content in contents:
        log.append(batch_of(*content))
    return log


@given(batches, st.data())
def test_reading_from_any_offset_gives_that_record_and_all_behind_it(
    contents: list[list[bytes]], data: st.DataObject
) -> None:
    log = _log_of(contents)
    everything = [value for content in contents for value in content]
    offset = data.draw(st.integers(0, len(everything)))

    read = log.read(offset, 1 << 30, at_least_one=False)

    assert log.end_offset == len(everything)
    got = values_in(b"".join(batch.data for batch in read))
    first = read[0].base_offset if read else log.end_offset
    assert first <= offset
    assert got == everything[first:]


@given(batches, st.integers(1, 400))
def test_a_reader_with_any_limit_gets_everything_in_the_end(
    contents: list[list[bytes]], max_bytes: int
) -> None:
    log = _log_of(contents)
    offset, got = 0, b""
    while offset < log.end_offset:
        read = log.read(offset, max_bytes, at_least_one=True)
        assert len(read) == 1 or sum(batch.size_bytes for batch in read) <= max_bytes
        got += b"".join(batch.data for batch in read)
        offset = read[-1].last_offset + 1

    assert values_in(got) == [value for content in contents for value in content]


@given(batches, st.integers(min_value=1))
def test_an_offset_outside_the_log_is_refused(contents: list[list[bytes]], by: int) -> None:
    log = _log_of(contents)
    for offset in (-by, log.end_offset + by):
        with pytest.raises(RefusedError) as refused:
            log.read(offset, 1 << 20, at_least_one=True)
        assert refused.value.code is ErrorCode.OFFSET_OUT_OF_RANGE


@given(batches, st.data())
def test_a_file_cut_anywhere_restores_exactly_its_whole_batches(
    contents: list[list[bytes]], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t-0.log"
        log = PartitionLog(Journal(path))
        for content in contents:
            log.append(batch_of(*content))
        log.close()
        whole = path.read_bytes()
        ends = list(accumulate((batch.size_bytes for batch in split(whole)), initial=0))
        cut = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:cut])

        again = PartitionLog(Journal(path))
        kept = sum(end <= cut for end in ends) - 1
        everything = [value for content in contents[:kept] for value in content]
        assert again.end_offset == len(everything)
        assert again.append(batch_of(b"next")).base_offset == len(everything)
        again.close()

        assert values_in(path.read_bytes()) == [*everything, b"next"]


@given(batches, st.data())
def test_a_damaged_byte_costs_its_batch_and_those_behind_it_only(
    contents: list[list[bytes]], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t-0.log"
        log = PartitionLog(Journal(path))
        for content in contents:
            log.append(batch_of(*content))
        log.close()
        whole = bytearray(path.read_bytes())
        ends = list(accumulate(batch.size_bytes for batch in split(bytes(whole))))
        # the first 21 bytes of a batch stand in front of the checksum; offsets must run on
        index = data.draw(st.integers(0, len(ends) - 1))
        start = ends[index - 1] if index else 0
        at = data.draw(st.integers(start + 21, ends[index] - 1))
        whole[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(whole)

        again = PartitionLog(Journal(path))
        again.close()
        assert again.end_offset == sum(len(content) for content in contents[:index])


@given(batches, st.integers(0, 1_000))
def test_dropping_keeps_the_newest_and_never_moves_the_end(
    contents: list[list[bytes]], size_bytes: int
) -> None:
    log = _log_of(contents)
    end = log.end_offset
    everything = [value for content in contents for value in content]

    log.drop_to(size_bytes)

    left = log.read(log.start_offset, 1 << 30, at_least_one=True)
    assert log.end_offset == end
    assert left
    assert len(left) == 1 or log.size_bytes <= size_bytes
    assert log.size_bytes == sum(batch.size_bytes for batch in left)
    kept = everything[log.start_offset :]
    assert values_in(b"".join(batch.data for batch in left)) == kept


@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=4), max_size=6), st.integers(0))
def test_find_time_is_the_first_record_not_older(times: list[list[int]], wanted_ms: int) -> None:
    log = PartitionLog()
    for batch in times:
        log.append(batch_of(*[b"x"] * len(batch), timestamps_ms=batch))
    flat = [time for batch in times for time in batch]
    expected = next(((i, time) for i, time in enumerate(flat) if time >= wanted_ms), None)

    found = log.find_time(wanted_ms)

    assert (found and (found.offset, found.timestamp_ms)) == expected


@given(values, st.integers(0, 1 << 60), st.integers(0, 1 << 40))
def test_log_append_time_shows_in_every_record_and_the_checksum_still_fits(
    content: list[bytes], offset: int, append_ms: int
) -> None:
    placed = parse(batch_of(*content)).placed(offset, append_ms)

    assert parse(placed.data) == placed
    records = list(MemoryRecords(placed.data).next_batch())
    assert [record.value for record in records] == content
    assert [record.offset for record in records] == list(range(offset, offset + len(content)))
    assert {record.timestamp for record in records} == {append_ms}
    assert {record.timestamp_type for record in records} == {1}


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=12), st.data(), st.integers(0, (1 << 31) - 1)
)
def test_a_producer_that_sends_again_is_kept_once(
    sizes: list[int], data: st.DataObject, start: int
) -> None:
    log = PartitionLog()
    sequence, sent = start, []
    for size in sizes:
        batch = batch_of(*[b"x"] * size, producer=7, epoch=0, sequence=sequence)
        sent.append((batch, log.append(batch)))
        again, answer = data.draw(st.sampled_from(sent[-5:]))
        assert log.append(again) == answer
        sequence = (sequence + size) % (1 << 31)

    assert log.end_offset == sum(sizes)


@given(st.integers(0, 1_000), st.integers(0, 1_000))
def test_a_gap_in_the_sequence_of_a_producer_is_refused(sequence: int, other: int) -> None:
    assume(other not in {sequence, sequence + 1})
    log = PartitionLog()
    log.append(batch_of(b"a", producer=7, epoch=1, sequence=sequence))
    with pytest.raises(RefusedError) as refused:
        log.append(batch_of(b"b", producer=7, epoch=1, sequence=other))
    assert refused.value.code is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert log.end_offset == 1


@given(st.integers(0, 1_000))
def test_an_epoch_of_the_past_is_refused_and_a_new_one_begins_at_0(sequence: int) -> None:
    log = PartitionLog()
    log.append(batch_of(b"a", producer=7, epoch=1, sequence=sequence))
    with pytest.raises(RefusedError) as refused:
        log.append(batch_of(b"b", producer=7, epoch=0, sequence=sequence + 1))
    assert refused.value.code is ErrorCode.INVALID_PRODUCER_EPOCH
    assert log.append(batch_of(b"c", producer=7, epoch=2, sequence=0)).base_offset == 1
