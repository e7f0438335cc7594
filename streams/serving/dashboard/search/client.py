"""Found moments and labels of one's own, as the API tells them."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

from streams.serving.dashboard.asking import Asking

LABELS = "/v1/labels"
SEARCH_S = 30.0
"""The first question after a start waits until the index is read."""


class Cue(msgspec.Struct, frozen=True):
    """One computed reason."""

    modality: str
    cue: str


class Said(msgspec.Struct, frozen=True):
    """Kept words."""

    text: str


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A few seconds of somebody, near what was asked for."""

    conversation: str
    participant: str
    role: str
    queue: str
    start: str
    end: str
    similarity: float
    label: str | None = None
    distress: float | None = None
    cues: tuple[Cue, ...] = ()
    imputed: bool = False
    words: tuple[Said, ...] = ()
    probability: float | None = None
    judged: bool | None = None


class Judged(msgspec.Struct, frozen=True):
    """How often people said that a label holds, and how often that it does not."""

    holds: int = 0
    holds_not: int = 0


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A label described in sentences."""

    name: str
    prompts: tuple[str, ...] = ()
    judged: Judged = Judged()
    needed: int = 0


class Calibration(msgspec.Struct, frozen=True):
    """What a probability rests on."""

    judged: int
    accuracy: float
    informative: bool = True


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Moments, the nearest first, and among how many; `label` and what follows beside one."""

    items: tuple[Moment, ...] = ()
    indexed: int = 0
    other_space: int = 0
    left_out: int = 0
    label: Label | None = None
    calibration: Calibration | None = None
    missing: str | None = None


async def search(asking: Asking, text: str, filters: Mapping[str, str]) -> Found:
    """Moments that are near a description."""
    return await asking.get("/v1/search", Found, {"q": text, **filters}, timeout_s=SEARCH_S)


async def labels(asking: Asking) -> list[Label]:
    """By name."""
    return await asking.items(LABELS, Label)


async def moments(asking: Asking, name: str, filters: Mapping[str, str]) -> Found:
    """Moments that may have a label."""
    return await asking.get(f"{_path(name)}/moments", Found, filters, timeout_s=SEARCH_S)


async def put(asking: Asking, name: str, prompts: Sequence[str]) -> Label:
    """Make a label, or describe it anew."""
    return await asking.send("PUT", _path(name), Label, {"prompts": list(prompts)})


async def delete(asking: Asking, name: str) -> None:
    """Delete a label with what was judged of it."""
    await asking.drop(_path(name))


async def judge(asking: Asking, name: str, moment: Moment, *, holds: bool) -> Label:
    """Say whether a label holds for a moment."""
    body = {
        "conversation": moment.conversation,
        "participant": moment.participant,
        "start": moment.start,
        "holds": holds,
    }
    return await asking.send("POST", f"{_path(name)}/judgements", Label, body)


def _path(name: str) -> str:
    return f"{LABELS}/{quote(name, safe='')}"
