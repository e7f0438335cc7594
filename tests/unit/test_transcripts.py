"""Timed words come in from four formats, or the line that is wrong is named."""

from pathlib import Path

import pytest

from inference.units import SECOND_NS
from streams.ingest.errors import MediaError
from streams.ingest.transcripts import Words, read_transcript


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


SAME_WORDS = {
    "call.stm": (
        ";; a comment\n"
        "call 1 Diane 1.5 2.25 <o,f0,female> Good morning.\n"
        "call 1 Sheila 2.5 3.0 Hello?\n"
        "call 1 nobody 3.0 4.0 ignore_time_segment_in_scoring\n"
    ),
    "call.vtt": (
        "WEBVTT\n\nNOTE made by hand\n\nfirst\n00:01.500 --> 00:02.250\n"
        "<v Diane>Good <b>morning</b>.\n\n00:02.500 --> 00:03.000\n<v Sheila>Hello?\n"
    ),
    "call.jsonl": (
        '{"start": 1.5, "end": 2.25, "text": "Good morning.", "speaker": "Diane"}\n\n'
        '{"start": 2.5, "end": 3.0, "text": "Hello?", "speaker": "Sheila"}\n'
    ),
}


@pytest.mark.parametrize("name", SAME_WORDS)
def test_every_format_says_the_same(tmp_path: Path, name: str) -> None:
    assert read_transcript(written(tmp_path, name, SAME_WORDS[name])) == (
        Words(1_500_000_000, 2_250_000_000, "Good morning.", "Diane"),
        Words(2_500_000_000, 3 * SECOND_NS, "Hello?", "Sheila"),
    )


def test_subtitles_without_voices_have_no_speaker(tmp_path: Path) -> None:
    text = "1\n00:00:01,500 --> 00:00:02,250\n<i>Good</i>\nmorning &amp; welcome.\n"
    (words,) = read_transcript(written(tmp_path, "call.srt", text))
    assert words == Words(1_500_000_000, 2_250_000_000, "Good morning & welcome.")


def test_words_come_by_end_then_start(tmp_path: Path) -> None:
    text = "".join(
        f'{{"start": {start}, "end": {end}, "text": "w"}}\n'
        for start, end in [(4, 5), (1, 3), (0, 3), (1, 2)]
    )
    words = read_transcript(written(tmp_path, "w.jsonl", text))
    assert [(w.start_ns // SECOND_NS, w.end_ns // SECOND_NS) for w in words] == [
        (1, 2),
        (0, 3),
        (1, 3),
        (4, 5),
    ]


def test_what_a_recogniser_knows_is_kept(tmp_path: Path) -> None:
    line = '{"start": 0, "end": 1, "text": "hola", "language": "es", "confidence": 0.5}'
    (words,) = read_transcript(written(tmp_path, "w.jsonl", line))
    assert (words.language, words.confidence) == ("es", 0.5)


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("w.txt", "hello", "transcripts end in one of"),
        ("w.jsonl", "", "holds no words"),
        ("w.jsonl", '{"start": 0, "end": 1, "text": "a"}\n{"start": 1}', "line 2"),
        ("w.jsonl", '{"start": 2, "end": 1, "text": "a"}', "line 1: times run from 2 to 1"),
        ("w.jsonl", '{"start": -1, "end": 1, "text": "a"}', "line 1"),
        ("w.jsonl", '{"start": 0, "end": 1, "text": "a", "txt": "b"}', "line 1"),
        ("w.stm", "call 1 Diane 1.5\n", "line 1: 4 fields"),
        ("w.stm", "call 1 Diane one two hello\n", "line 1"),
        ("w.vtt", "hello\n", "begins with WEBVTT"),
        ("w.vtt", "WEBVTT\n\n00:xx --> 00:02.000\nhello\n", "line 3"),
        ("w.srt", "hello there\n", "holds no words"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, name: str, text: str, wrong: str
) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(MediaError) as caught:
        read_transcript(path)
    assert str(caught.value).startswith(str(path))
    assert wrong in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_and_files_that_are_not_there_are_said(tmp_path: Path) -> None:
    binary = tmp_path / "w.srt"
    binary.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(MediaError, match="not UTF-8"):
        read_transcript(binary)
    with pytest.raises(MediaError, match="cannot be read"):
        read_transcript(tmp_path / "none.srt")
