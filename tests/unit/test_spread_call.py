"""The call that `make bench-inference` measures is what it says it is."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from streams.records import AudioChunk, Kind, TranscriptSegment

MATERIAL = Path(__file__).parents[2] / "benchmarks" / "spread_call.py"


@pytest.fixture(scope="module")
def material() -> ModuleType:
    spec = importlib.util.spec_from_file_location("spread_call", MATERIAL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_half_of_the_call_is_speech_of_one_party_at_a_time(material: ModuleType) -> None:
    call = material.spread_call()
    assert call.seconds > 60
    assert call.speech_share == pytest.approx(0.5, abs=0.01)
    assert {turn.channel for turn in call.turns} == {0, 1}
    for turn, later in zip(call.turns, call.turns[1:], strict=False):
        assert turn.end < later.start
    for channel in (0, 1):
        assert (call.sound[channel] != 0.0).mean() > 0.99  # no line is digitally silent


def test_both_parties_are_heard_and_have_words_in_every_turn(
    material: ModuleType, tmp_path: Path
) -> None:
    call = material.spread_call()
    records = material.call_records(call, tmp_path)
    heard = {record.participant for record in records if isinstance(record, AudioChunk)}
    words = [
        record
        for record in records
        if isinstance(record, TranscriptSegment) and record.kind is Kind.DATA
    ]
    assert len(heard) == 2
    assert {record.participant for record in words} == heard
    assert len(words) == len(call.turns)
