"""What the embedded broker forgets, and what it keeps: topics, retention, budget, disk."""

import errno
from io import FileIO
from pathlib import Path

import pytest

from streams.broker.codes import ErrorCode, RefusedError
from streams.broker.journal import Journal
from streams.broker.log import Found, PartitionLog
from streams.broker.topics import TopicConfig, Topics
from tests.broker_records import ZSTD, batch_of, recompressed, values_in

NOW_MS = 10_000


def values_of(log: PartitionLog) -> list[bytes]:
    batches = log.read(log.start_offset, 1 << 30, at_least_one=True)
    return values_in(b"".join(batch.data for batch in batches))


def test_records_older_than_the_retention_go_and_offsets_stay() -> None:
    topics = Topics(None, budget_bytes=1 << 20)
    log = topics.create("t", 1, {"retention.ms": "1000"}).partition(0)
    for age_ms in (3_000, 2_000, 1_000, 0):
        log.append(batch_of(b"%d" % age_ms, timestamps_ms=[NOW_MS - age_ms]))

    topics.clean(NOW_MS)

    assert values_of(log) == [b"1000", b"0"]
    assert (log.start_offset, log.end_offset) == (2, 4)


def test_a_topic_with_log_append_time_ages_by_the_brokers_clock() -> None:
    topics = Topics(None, budget_bytes=1 << 20)
    log = topics.create("t", 1, {"retention.ms": "1000"}).partition(0)
    for _ in range(2):  # event times of long ago
        log.append(batch_of(b"x", timestamps_ms=[0]), NOW_MS)

    topics.clean(NOW_MS + 1_000)
    assert log.start_offset == 0
    topics.clean(NOW_MS + 1_001)
    assert log.start_offset == 1


def test_the_budget_is_taken_from_the_largest_log() -> None:
    topics = Topics(None, budget_bytes=5_000)
    media = topics.create("media", 1, {}).partition(0)
    small = topics.create("small", 1, {}).partition(0)
    small.append(batch_of(b"x", timestamps_ms=[NOW_MS]))
    small.append(batch_of(b"y", timestamps_ms=[NOW_MS]))
    for _ in range(20):
        media.append(batch_of(b"m" * 1_000, timestamps_ms=[NOW_MS]))

    topics.clean(NOW_MS)

    assert 3_500 < topics.size_bytes <= 5_000
    assert values_of(small) == [b"x", b"y"]


def test_a_compacted_topic_is_kept_whole() -> None:
    topics = Topics(None, budget_bytes=0)
    log = topics.create("t", 1, {"cleanup.policy": "compact", "retention.ms": "0"}).partition(0)
    for _ in range(3):
        log.append(batch_of(b"x", timestamps_ms=[0]))
    topics.clean(NOW_MS)
    assert log.start_offset == 0


@pytest.mark.parametrize(
    "given",
    [
        {"retention.ms": "soon"},
        {"retention.ms": "-2"},
        {"max.message.bytes": "-1"},
        {"message.timestamp.type": "Never"},
        {"cleanup.policy": "burn"},
        {"no.such.setting": "1"},
    ],
)
def test_a_bad_setting_is_refused_by_name(given: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match=next(iter(given))) as refused:
        TopicConfig.of(given)
    assert refused.value.code is ErrorCode.INVALID_CONFIG


def test_a_file_is_rewritten_when_most_of_it_is_dead(tmp_path: Path) -> None:
    path = tmp_path / "t-0.log"
    log = PartitionLog(Journal(path))
    for index in range(30):
        log.append(batch_of(b"%d" % index * 50_000))
    before = path.stat().st_size

    log.drop_to(300_000)

    assert path.stat().st_size == log.size_bytes < before
    log.append(batch_of(b"behind"))
    kept, start = values_of(log), log.start_offset
    log.close()
    again = PartitionLog(Journal(path))
    assert (again.start_offset, again.end_offset) == (start, 31)
    assert values_of(again) == kept
    again.close()


def test_a_full_disk_refuses_the_batch_and_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t-0.log"
    log = PartitionLog(Journal(path))
    log.append(batch_of(b"before"))

    def half(file: FileIO, data: bytes) -> None:
        file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("streams.broker.journal._write", half)
        with pytest.raises(RefusedError, match="No space left") as refused:
            log.append(batch_of(b"lost"))
    assert refused.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    assert log.append(batch_of(b"after")).base_offset == 1
    log.close()
    assert values_in(path.read_bytes()) == [b"before", b"after"]


def test_a_file_that_cannot_be_rewritten_goes_on_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t-0.log"
    log = PartitionLog(Journal(path))
    for index in range(30):
        log.append(batch_of(b"%d" % index * 50_000))
    path.with_suffix(".new").mkdir()  # in the way of the rewritten file

    log.drop_to(300_000)
    log.append(batch_of(b"behind"))

    end = log.end_offset
    log.close()
    again = PartitionLog(Journal(path))
    assert (again.start_offset, again.end_offset) == (0, end)
    again.close()


def test_a_time_is_found_in_a_batch_that_cannot_be_opened_by_its_first_offset() -> None:
    log = PartitionLog()
    log.append(batch_of(b"a", timestamps_ms=[10]))
    log.append(recompressed(batch_of(b"b", b"c", timestamps_ms=[20, 30]), ZSTD))
    assert log.find_time(25) == Found(offset=1, timestamp_ms=30)
    assert log.find_time(31) is None
