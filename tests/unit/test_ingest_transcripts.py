"""Transcripts as tools write them: the bad line is named, and no good one is lost."""

from pathlib import Path

import pytest

from inference.units import SECOND_NS
from streams.ingest.errors import MediaError
from streams.ingest.source import FileSource, SourceOptions
from streams.ingest.transcripts import read_transcript
from tests.media import tone, write_sound


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def said(folder: Path, name: str, text: str) -> list[tuple[float, float, str]]:
    """Start and end in seconds, and words."""
    return [
        (words.start_ns / SECOND_NS, words.end_ns / SECOND_NS, words.text)
        for words in read_transcript(written(folder, name, text))
    ]


GOOD = "1\n00:00:01,000 --> 00:00:02,000\ngood\n\n"


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("w.stm", ";; comment\n\ncall 1 Diane 0 1 good\ncall 1 Diane 2 1 bad\n", 4),
        ("w.stm", "call 1 Diane 0 1 good\ncall 1 Diane nan 1 bad\n", 2),
        ("w.jsonl", '{"start": 0, "end": 1, "text": "good"}\n\n[0, 1, "bad"]\n', 3),
        ("w.jsonl", '{"start": 0, "end": 1, "text": "good"}\n{"start": "NaN", "end": 1}\n', 2),
        ("w.jsonl", '{"start": 0, "end": 1e400, "text": "bad"}\n', 1),
        ("w.jsonl", '{"start": 0, "end": 1, "text": "bad", "confidence": 1.5}\n', 1),
        ("w.srt", GOOD + "2\n00:00:03,000 --> 00:00:04\nbad\n", 6),
        ("w.srt", GOOD + "2\n00:00:03,000 -> 00:00:04,000\nbad\n", 6),
        ("w.srt", GOOD + "2\nlater --> 00:00:04,000\nbad\n\n" + GOOD, 6),
        ("w.srt", GOOD + "2\n00:00:05,000 --> 00:00:04,000\nbad\n", 6),
        ("w.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\ngood\n\n00:03.000 -> 00:04.000\nbad\n", 6),
        ("w.vtt", "WEBVTT\n\n00:03,000 --> 00:04,000\nbad\n", 3),
        ("w.vtt", "WEBVTT\n\nNOTE two\nlines\n\n00:05.000 --> 00:04.000\nbad\n", 6),
    ],
)
def test_the_line_that_is_wrong_is_named(tmp_path: Path, name: str, text: str, line: int) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(MediaError) as caught:
        read_transcript(path)
    assert str(caught.value).startswith(f"{path}: line {line}: ")
    assert "\n" not in str(caught.value)


def test_line_separators_inside_of_words_do_not_end_a_line(tmp_path: Path) -> None:
    lines = '{"start": 0, "end": 1, "text": "one\u2028two\u0085three"}\n'
    assert said(tmp_path, "w.jsonl", lines) == [(0.0, 1.0, "one two three")]
    assert said(tmp_path, "w.stm", "call 1 Diane 0 1 one\u2028two\n") == [(0.0, 1.0, "one two")]


def test_times_inside_of_a_cue_are_not_new_cues(tmp_path: Path) -> None:
    text = (
        "WEBVTT\nKind: captions\nLanguage: en\n\n"
        "00:00:01.000 --> 00:00:02.000 align:start position:0%\n"
        "good<00:00:01.520><c> morning</c><00:00:01.800><c> all</c>\n"
    )
    assert said(tmp_path, "w.vtt", text) == [(1.0, 2.0, "good morning all")]


def test_styles_notes_and_settings_are_no_words(tmp_path: Path) -> None:
    text = (
        "WEBVTT - a call\n\nSTYLE\n::cue {color: red}\n\n"
        "NOTE from 00:01.000 to 00:02.000 they wait,\n00:02.000 --> 00:03.000\nand wait\n\n"
        "100:00:01.000 --> 100:00:02.000 line:0\n<v.loud Diane Doe>Hello &lt;there&gt;</v>\n"
    )
    (words,) = read_transcript(written(tmp_path, "w.vtt", text))
    assert (words.start_ns // SECOND_NS, words.speaker) == (360_001, "Diane Doe")
    assert words.text == "Hello <there>"


def test_files_of_windows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "w.srt"
    path.write_bytes(("\ufeff" + GOOD).replace("\n", "\r\n").encode())
    (words,) = read_transcript(path)
    assert words.text == "good"


def test_words_long_after_the_media_are_pointed_out(tmp_path: Path) -> None:
    call = write_sound(tmp_path / "call.wav", tone(1.0, 16_000)[None], 16_000)
    milliseconds = '{"start": 100, "end": 900, "text": "hello"}'
    transcript = written(tmp_path, "w.jsonl", milliseconds)
    warnings: list[str] = []
    options = SourceOptions(conversation="c-1", start_ns=0, transcript=transcript)
    FileSource.open(call, options, now_ns=0, warn=warnings.append)
    (line,) = warnings
    assert (
        line == f"{transcript}: words go on until 900 s, the media until 1 s; times are in seconds"
    )


def test_the_words_of_a_real_call_are_read(shared_data: Path) -> None:
    words = read_transcript(shared_data / "clips" / "phone_two_party_30s.stm")
    assert {spoken.speaker for spoken in words} == {"Diane", "Sheila"}
    assert len(words) == 13
    assert (words[0].start_ns, words[0].end_ns) == (6_680_000_000, 7_160_000_000)
    assert words[-1].end_ns < 30 * SECOND_NS
