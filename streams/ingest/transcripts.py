"""Timed words from `.stm`, `.vtt`, `.srt` and `.jsonl` files.

JSON lines: one object a line, `{"start": 1.5, "end": 2.25, "text": "hello"}` in seconds
from the start of the media, with `speaker`, `language` (BCP 47) and `confidence` (0 to 1)
where they are known.
"""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Final

import msgspec
import pysubs2
from msgspec import Meta
from pysubs2.formats.subrip import SubripFormat
from pysubs2.formats.webvtt import WebVTTFormat

from inference.units import SECOND_NS
from streams.ingest.errors import MediaError
from streams.records import MAX_TEXT_CHARS, Share

_LONGEST_S: Final = Decimal(60 * 60 * 24 * 365)
_VOICE: Final = re.compile(r"<v(?:\.[^\s>]+)*\s+([^>]+)>")
_KARAOKE: Final = re.compile(r"<[\d:.]+>")
_COMMENT: Final = re.compile(r"(?<=\n\n)NOTE\b[^\n]*(?:\n[^\n]+)*")
_ARROW: Final = "-->"
_STM_FIELDS: Final = 5
_STM_IGNORED: Final = "ignore_time_segment_in_scoring"


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody said in `[start_ns, end_ns)`, counted from the start of the media."""

    start_ns: int
    end_ns: int
    text: str
    speaker: str | None = None
    """As the file names them; None where it does not."""
    language: str | None = None
    confidence: float | None = None


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a `.jsonl` transcript; times in seconds."""

    start: Decimal
    end: Decimal
    text: str
    speaker: Annotated[str, Meta(max_length=128)] | None = None
    language: Annotated[str, Meta(max_length=35)] | None = None
    confidence: Share | None = None


class _BadLineError(ValueError):
    """A line that is not what its format asks for; the message begins with its number."""


def read_transcript(path: Path) -> tuple[Words, ...]:
    """Segments of `path` by end, then start; the ending of its name tells the format.

    Raises MediaError naming the line that is wrong, also where there are no words at all.
    """
    parse = _FORMATS.get(path.suffix.lower())
    if parse is None:
        known = " ".join(_FORMATS)
        raise MediaError(path, f"transcripts end in one of {known}")
    try:
        text = path.read_text(encoding="utf-8-sig")
        words = [spoken for spoken in parse(text) if spoken.text]
    except (FileNotFoundError, IsADirectoryError, PermissionError) as exc:
        raise MediaError(path, f"cannot be read ({exc.strerror})") from exc
    except UnicodeDecodeError as exc:
        raise MediaError(path, f"is not UTF-8 text (byte {exc.start})") from exc
    except _BadLineError as exc:
        raise MediaError(path, str(exc)) from exc
    if not words:
        raise MediaError(path, "holds no words; leave the transcript out if there are none")
    return tuple(sorted(words, key=lambda spoken: (spoken.end_ns, spoken.start_ns)))


def _words(
    where: str,
    start_s: Decimal,
    end_s: Decimal,
    text: str,
    *,
    speaker: str | None = None,
    language: str | None = None,
    confidence: float | None = None,
) -> Words:
    """Check what every format has in common."""
    if not (start_s.is_finite() and end_s.is_finite() and 0 <= start_s <= end_s <= _LONGEST_S):
        raise _BadLineError(f"{where}: times run from {start_s} to {end_s}")
    text = " ".join(text.split())
    if len(text) > MAX_TEXT_CHARS:
        raise _BadLineError(f"{where}: {len(text)} characters, at most {MAX_TEXT_CHARS}")
    return Words(
        int(start_s * SECOND_NS), int(end_s * SECOND_NS), text, speaker, language, confidence
    )


def _stm(text: str) -> Iterator[Words]:
    """NIST's `file channel speaker start end [<labels>] words`, `;;` comments."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith(";;"):
            continue
        fields = line.split(maxsplit=_STM_FIELDS)
        if len(fields) < _STM_FIELDS:
            raise _BadLineError(
                f"line {number}: {len(fields)} fields, needs file channel speaker start end words"
            )
        _, _, speaker, start, end, *rest = fields
        spoken = re.sub(r"^<[^>]*>\s*", "", rest[0]) if rest else ""
        if spoken.strip().lower() == _STM_IGNORED:
            continue
        try:
            times = Decimal(start), Decimal(end)
        except InvalidOperation as exc:
            raise _BadLineError(f"line {number}: {start!r} to {end!r} are no seconds") from exc
        yield _words(f"line {number}", *times, spoken, speaker=speaker)


def _jsonl(text: str) -> Iterator[Words]:
    decoder = msgspec.json.Decoder(_Line)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            said = decoder.decode(line)
        except msgspec.DecodeError as exc:
            raise _BadLineError(f"line {number}: {exc}") from exc
        yield _words(
            f"line {number}",
            said.start,
            said.end,
            said.text,
            speaker=said.speaker or None,
            language=said.language,
            confidence=said.confidence,
        )


def _vtt(text: str) -> Iterator[Words]:
    if not text.startswith("WEBVTT"):
        raise _BadLineError("line 1: a WebVTT file begins with WEBVTT")
    # pysubs2 takes times inside of cues and comments for new cues,
    text = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), _KARAOKE.sub("", text))
    # and identifiers and styles for words of the cue before them
    blocks = (block.partition(_ARROW) for block in re.split(r"\n\s*\n", text))
    cues = [before.rpartition("\n")[2] + _ARROW + cue for before, arrow, cue in blocks if arrow]
    lines = _cue_lines(text, WebVTTFormat.TIMESTAMP, "00:01.500 --> 00:02.250")
    return _subtitles("\n\n".join(["WEBVTT", *cues]), "vtt", lines)


def _srt(text: str) -> Iterator[Words]:
    lines = _cue_lines(text, SubripFormat.TIMESTAMP, "00:00:01,500 --> 00:00:02,250")
    return _subtitles(text, "srt", lines)


def _cue_lines(text: str, timestamp: re.Pattern[str], example: str) -> list[int]:
    """Numbers of the lines that tell the times of a cue.

    pysubs2 takes any line with two timestamps for one, and passes over those that it
    cannot read; we refuse what looks like one and is not.
    """
    numbers = []
    for number, line in enumerate(text.split("\n"), start=1):
        timed = len(timestamp.findall(line)) == len(("start", "end"))
        if (_ARROW in line) != timed:
            raise _BadLineError(f"line {number}: {line.strip()!r} are no times like {example}")
        if _ARROW in line:
            numbers.append(number)
    return numbers


def _subtitles(text: str, name: str, lines: list[int]) -> Iterator[Words]:
    """Cues as pysubs2 reads them, whose times stand on `lines` of the file."""
    cues = pysubs2.SSAFile.from_string(text, format_=name, keep_html_tags=True)
    for line, cue in zip(lines, cues, strict=True):
        voice = _VOICE.search(cue.text)
        yield _words(
            f"line {line}",
            Decimal(cue.start) / 1000,
            Decimal(cue.end) / 1000,
            html.unescape(re.sub(r"<[^>]*>|\{[^}]*\}", "", cue.text.replace("\\N", " "))),
            speaker=voice[1].strip() if voice else None,
        )


_FORMATS: Final[dict[str, Callable[[str], Iterator[Words]]]] = {
    ".stm": _stm,
    ".vtt": _vtt,
    ".srt": _srt,
    ".jsonl": _jsonl,
}
