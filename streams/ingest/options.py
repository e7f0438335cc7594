"""What the command line asks about media files; `ingest`, `score` and `demo` share it."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

from cyclopts import Parameter

from inference.labels import Role
from streams.ingest.errors import OptionError
from streams.ingest.parties import Naming
from streams.ingest.source import SourceOptions

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@Parameter(name="*")  # options of the command itself, not `--media.role`
@dataclass(frozen=True, slots=True, kw_only=True)
class MediaOptions:
    """What may be said about media files.

    Attributes:
        channels: a name for each channel, or each sound track, comma-separated:
            `customer,agent`. A name that is a role gives that role. Without it a sound
            track is one participant, `p-1`.
        role: of everybody whose name is no role.
        notice: whether those who are heard and seen were told of the analysis.
        transcript: timed words of the only file: `.stm .vtt .srt` or `.jsonl`.
        speakers: whose words a transcript holds: `Diane=customer,Sheila=agent`.
        video_of: who is seen, by name or role; default is the first customer.
        fps: pictures a second.
        chunk_ms: length of a chunk of sound.
        conversation: id of the only file's conversation; default is a new one for each file.
        start: time of the start, RFC 3339, for example `2026-05-04T09:30:00Z`.
        queue: where the conversation was taken.
        language: BCP 47, of words whose transcript does not say.
        region: where the participants are.
        purpose: what the analysis is for.
    """

    channels: str | None = None
    role: Role = Role.CUSTOMER
    notice: Literal["yes", "no"] = "yes"
    transcript: Path | None = None
    speakers: str | None = None
    video_of: str | None = None
    fps: float = 2.0
    chunk_ms: int = 200
    conversation: str | None = None
    start: str | None = None
    queue: str = "unknown"
    language: str = "und"
    region: str = "unknown"
    purpose: str = "unknown"

    def check_for(self, count: int) -> None:
        """Raise OptionError where what was said about one file is meant for several."""
        for option, value in (
            ("--conversation", self.conversation),
            ("--transcript", self.transcript),
        ):
            if value is not None and count > 1:
                raise OptionError(f"{option} {value} with {count} files: give them one by one")

    def source_options(self, tenant: str, *, start_ns: int | None = None) -> SourceOptions:
        """What the sources understand.

        Args:
            tenant: whose conversations they are.
            start_ns: event time of the start where `--start` gives none.

        Raises OptionError where what was said cannot be read.
        """
        if not math.isfinite(self.fps):
            raise OptionError(f"--fps {self.fps}: takes a number")
        return SourceOptions(
            tenant=tenant,
            conversation=self.conversation,
            start_ns=start_ns if self.start is None else event_time(self.start),
            transcript=self.transcript,
            naming=Naming(
                channels=_names(self.channels),
                role=self.role,
                video_of=self.video_of,
                speakers=_speakers(self.speakers),
            ),
            notice=self.notice == "yes",
            queue=self.queue,
            language=self.language,
            region=self.region,
            purpose=self.purpose,
            chunk_ms=self.chunk_ms,
            fps=Fraction(str(self.fps)),
        )


def event_time(text: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time.

    Raises OptionError for anything else, a time without its zone included.
    """
    example = "takes a time with its zone, for example 2026-05-04T09:30:00Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise OptionError(f"--start {text}: {example}") from exc
    if moment.tzinfo is None or not re.match(r"\d{4}-\d{2}-\d{2}[Tt ]\d", text):
        raise OptionError(f"--start {text}: {example}")
    if moment < _EPOCH:
        raise OptionError(f"--start {text}: is before 1970")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def _names(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(name.strip() for name in text.split(","))


def _speakers(text: str | None) -> dict[str, str]:
    speakers: dict[str, str] = {}
    for pair in _names(text):
        name, sign, owner = (part.strip() for part in pair.rpartition("="))
        if not (sign and name and owner):
            raise OptionError(f"--speakers {pair!r}: takes NAME=role, or NAME=participant")
        if name in speakers:
            raise OptionError(f"--speakers: {name} is given twice")
        speakers[name] = owner
    return speakers
