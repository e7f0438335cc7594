"""WebVTT: cues to show beside a recording, timed from the start of the conversation."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from inference.score import WindowScore
from inference.units import MS_NS
from streams.serving.exports.source import Source

_HOUR_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000
_SECOND_MS: Final = 1_000


@dataclass(slots=True)
class _Cue:
    participant: str
    start_ns: int
    end_ns: int
    text: str


async def encode(source: Source) -> AsyncIterator[bytes]:
    """One cue a window, up to where the next window of the same participant begins.

    Windows overlap; cues of one participant do not, so that a player shows one line each.
    """
    yield (
        f"WEBVTT\n\nNOTE\nConversation {source.conversation}, run {source.run}: estimates of how "
        "listeners would describe what they hear and see.\n"
    ).encode()
    waiting: deque[_Cue] = deque()
    newest: dict[str, _Cue] = {}
    async for page in source.pages:
        for score in page:
            cue = _Cue(score.participant, score.start_ns, score.end_ns, words(score))
            before = newest.get(score.participant)
            if before is not None:
                before.end_ns = min(before.end_ns, cue.start_ns)
            newest[score.participant] = cue
            waiting.append(cue)
        if page:
            # nothing that comes later begins before the last window, nor cuts what ended by then
            yield _taken(waiting, source.started_ns, page[-1].start_ns)
    yield _taken(waiting, source.started_ns, None)


def _taken(waiting: deque[_Cue], started_ns: int, until_ns: int | None) -> bytes:
    """Text of the cues at the head that nothing can cut any more."""
    lines = []
    while waiting and (until_ns is None or waiting[0].end_ns <= until_ns):
        cue = waiting.popleft()
        start_ms = max(0, cue.start_ns - started_ns) // MS_NS
        end_ms = (cue.end_ns - started_ns) // MS_NS
        if end_ms > start_ms:  # else all of it lies before the start
            lines.append(f"\n{stamp(start_ms)} --> {stamp(end_ms)}\n{cue.text}\n")
    return "".join(lines).encode()


def words(score: WindowScore) -> str:
    """What a cue says: ids have no character that means something in WebVTT."""
    name = " ".join(dict.fromkeys((score.role.value, score.participant)))  # often the same word
    who = f"<v {name}>{name}"
    if score.emotions is None or score.distress is None:
        return f"{who}: nothing to go by"
    distress = f"distress {_percent(score.distress.probability)}"
    label = score.decision.label
    if label is None or score.decision.abstained:
        return f"{who}: not sure, {distress}"
    return f"{who}: {label} {_percent(score.emotions.get(label, 0.0))}, {distress}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def stamp(at_ms: int) -> str:
    """`HH:MM:SS.mmm`; hours may take more digits."""
    hours, rest = divmod(at_ms, _HOUR_MS)
    minutes, rest = divmod(rest, _MINUTE_MS)
    seconds, rest = divmod(rest, _SECOND_MS)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{rest:03}"
