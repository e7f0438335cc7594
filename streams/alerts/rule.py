"""A rule as data: what it watches, from when on it says so, and whom it tells."""

import hashlib
import math
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from inference.errors import AffectstreamError
from inference.labels import EMOTIONS, Role
from inference.units import SECOND_NS

LONGEST_S: Final = 3_600.0
"""A dwell or a cool-down beyond an hour is a slip of the unit."""
SILENCE: Final = "silence"
METRICS: Final[Mapping[str, tuple[float, float]]] = {
    "distress": (0.0, 1.0),
    "smoothed": (0.0, 1.0),
    "arousal": (0.0, 1.0),
    "valence": (-1.0, 1.0),
    "conflict": (0.0, 1.1),
    "change": (-6.0, 6.0),
    SILENCE: (0.0, 1.0),
    **{emotion.value: (0.0, 1.0) for emotion in EMOTIONS},
}
"""What a rule may watch, and between which values it lies. Three modalities that contradict each
other altogether are ln 3 nats apart; `change` is cut at six standard deviations."""
SHIPPED: Final = (
    "sustained-distress",
    "sharp-rise",
    "words-and-voice-disagree",
    "silent-after-distress",
)

_ID: Final = r"^[A-Za-z0-9._:-]{1,128}$"
_SINK: Final = r"^(alertmanager|webhook:[A-Za-z0-9._:-]{1,128})$"

Name = Annotated[str, Meta(pattern=_ID)]
Seconds = Annotated[float, Meta(ge=0.0, le=LONGEST_S)]
Text = Annotated[str, Meta(max_length=256, pattern=r"^[^\x00]*$")]
"""Without the one character that PostgreSQL keeps in no text."""
Metric = Annotated[str, Meta(extra_json_schema={"enum": list(METRICS)})]
Level = Annotated[float, Meta(extra_json_schema={"minimum": -6.0, "maximum": 6.0})]


class RuleError(AffectstreamError):
    """A rule that cannot be used; names where it stands, the field, and what to write instead."""


class Severity(StrEnum):
    """How much a firing rule matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Direction(StrEnum):
    """On which side of `enter` a rule fires."""

    ABOVE = "above"
    BELOW = "below"


class Match(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a rule watches; an empty list is everybody."""

    roles: tuple[Role, ...] = ()
    queues: tuple[Text, ...] = ()
    languages: tuple[Text, ...] = ()

    def covers(self, role: Role, queue: str, language: str) -> bool:
        """Whether a participant is watched."""
        return (
            (not self.roles or role in self.roles)
            and (not self.queues or queue in self.queues)
            and (not self.languages or language in self.languages)
        )


class After(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arms a rule: it may begin only so long after another metric was this high."""

    metric: Metric
    enter: Level
    within_s: Annotated[float, Meta(gt=0.0, le=LONGEST_S)]

    @property
    def within_ns(self) -> int:
        """`within_s` in nanoseconds."""
        return _ns(self.within_s)

    def __post_init__(self) -> None:
        """Refuse what can never be reached."""
        _check_metric("metric", self.metric)
        _check_level("enter", self.enter, self.metric)


class RuleSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule without its name. Docs: `docs/alerts.md`."""

    metric: Metric
    """One of `METRICS`."""
    enter: Level
    """At least this (with `direction` `below`: at most) begins a course."""
    exit: Level
    """Less than this (`below`: more) ends one. Between the two nothing changes."""
    direction: Direction = Direction.ABOVE
    for_s: Seconds = 10.0
    """Time over `enter` before it fires."""
    keep_firing_for_s: Seconds = 10.0
    """Time under `exit` before it resolves."""
    cooldown_s: Seconds = 60.0
    """After it resolved, nothing begins for so long."""
    min_speech: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    """Share of a window that must be speech for it to count."""
    severity: Severity = Severity.WARNING
    match: Match = Match()
    notify: tuple[Annotated[str, Meta(pattern=_SINK)], ...] = ()
    """`webhook:NAME` and `alertmanager`, beside Kafka and the live feed."""
    summary: Annotated[str, Meta(max_length=500, pattern=r"^[^\x00]*$")] = ""
    """One sentence that a supervisor understands."""
    runbook: Text = ""
    """What to do about it: the name of a page, or a link."""
    after: After | None = None

    def __post_init__(self) -> None:
        """Refuse a rule that could never fire, never rest, or never count a window.

        Raises ValueError naming the field; msgspec adds where it stands.
        """
        _check_metric("metric", self.metric)
        _check_level("enter", self.enter, self.metric)
        _check_level("exit", self.exit, self.metric)
        if self.sign * self.exit > self.sign * self.enter:
            side, word = ("above", "at most") if self.sign > 0 else ("below", "at least")
            raise ValueError(
                f"exit: {self.exit:g} is {side} enter, {self.enter:g}: a course would end as it "
                f"begins; write {word} {self.enter:g}"
            )
        if self.metric == SILENCE:
            self._check_silence()
        if len(set(self.notify)) < len(self.notify):
            raise ValueError("notify: names a target twice; name each once")

    def _check_silence(self) -> None:
        if self.min_speech > 0:
            raise ValueError("min_speech: silence has no speech in it; write 0 or leave it out")
        if self.direction is Direction.ABOVE and self.exit == 0:
            raise ValueError("exit: silence is 0 or 1 and never under 0; write 1")

    @property
    def sign(self) -> int:
        """1 where high values fire, -1 where low ones do."""
        return 1 if self.direction is Direction.ABOVE else -1

    @property
    def for_ns(self) -> int:
        """`for_s` in nanoseconds."""
        return _ns(self.for_s)

    @property
    def keep_firing_for_ns(self) -> int:
        """`keep_firing_for_s` in nanoseconds."""
        return _ns(self.keep_firing_for_s)

    @property
    def cooldown_ns(self) -> int:
        """`cooldown_s` in nanoseconds."""
        return _ns(self.cooldown_s)

    @property
    def digest(self) -> str:
        """Of what decides when it fires: a change of anything else disturbs no running course."""
        return _digest(self)


_FIELD: Final = re.compile(
    r"Object (contains )?(?P<problem>unknown|missing required) field `(?P<field>.*)`", re.DOTALL
)
_OWN_WORDS: Final = re.compile(r"[a-z_]+: ")
_ADVICE: Final[Mapping[str, str]] = {
    "metric": f"one of {', '.join(METRICS)}",
    "direction": " or ".join(Direction),
    "severity": ", ".join(Severity),
    "roles": f"some of {', '.join(Role)}",
    "notify": "alertmanager, or webhook:NAME with the name of a target in the settings",
    **dict.fromkeys(("for_s", "keep_firing_for_s", "cooldown_s", "within_s"), "seconds, as 10"),
}
_NOT_DECIDING: Final = ("severity", "notify", "summary", "runbook")
_decoder: Final = msgspec.json.Decoder(RuleSpec)


@cache
def _digest(spec: RuleSpec) -> str:
    deciding = {
        name: value
        for name, value in msgspec.to_builtins(spec).items()
        if name not in _NOT_DECIDING
    }
    data = msgspec.json.encode(deciding, order="deterministic")
    return hashlib.sha256(data).hexdigest()[:12]


def _ns(seconds: float) -> int:
    return round(seconds * SECOND_NS)


def _check_metric(field: str, metric: str) -> None:
    if metric not in METRICS:
        raise ValueError(f"{field}: there is no {metric[:64]!r}; write one of {', '.join(METRICS)}")


def _check_level(field: str, level: float, metric: str) -> None:
    low, high = METRICS[metric]
    if not math.isfinite(level) or not low <= level <= high:
        raise ValueError(
            f"{field}: {level:g} is never reached; {metric} lies between {low:g} and {high:g}"
        )


def spec_of(body: Any, where: str) -> RuleSpec:
    """A rule from plain data, as TOML, JSON and the database hold it.

    Args:
        body: a mapping of the fields of `RuleSpec`.
        where: named in errors.

    Raises RuleError naming the field.
    """
    try:
        return msgspec.convert(body, RuleSpec)
    except msgspec.ValidationError as exc:
        raise RuleError(f"{where}: {said(exc)}") from exc


def spec_from_json(data: bytes, where: str) -> RuleSpec:
    """The same from JSON. Raises RuleError naming the field."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise RuleError(f"{where}: {said(exc)}") from exc


def plain(spec: RuleSpec) -> dict[str, Any]:
    """Inverse of `spec_of`: every field, defaults included, so that a stored version says all."""
    body: dict[str, Any] = msgspec.to_builtins(spec)
    return body


def parse_rules(text: str, file: str) -> dict[str, RuleSpec]:
    """Rules of a TOML file, `[[rules]]` each with a `name`, in the order of the file.

    Raises RuleError naming file, rule and field.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise RuleError(f"{file}: is no TOML: {exc}") from exc
    unknown = sorted(set(document) - {"rules"})
    if unknown:
        raise RuleError(f"{file}: {unknown[0]}: unknown; every rule stands under [[rules]]")
    entries = document.get("rules")
    if not isinstance(entries, list) or not entries:
        raise RuleError(f"{file}: holds no rules; begin each with [[rules]] and a name")
    rules: dict[str, RuleSpec] = {}
    for place, entry in enumerate(entries, start=1):
        name, body = _named(entry, f"{file}: rule {place}")
        if name in rules:
            raise RuleError(f"{file}: rule {name}: name: stands there twice; rename one")
        rules[name] = spec_of(body, f"{file}: rule {name}")
    return rules


def read_rules(path: Path) -> dict[str, RuleSpec]:
    """The same from a file. Raises RuleError, also where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "is no UTF-8"
        raise RuleError(f"{path}: {reason}") from exc
    return parse_rules(text, str(path))


@cache
def shipped_rules() -> Mapping[str, RuleSpec]:
    """The rules that come with the program: version 0 for every tenant."""
    rules: dict[str, RuleSpec] = {}
    for name in SHIPPED:
        file = files("streams.alerts") / "shipped" / f"{name}.toml"
        rules |= parse_rules(file.read_text(encoding="utf-8"), f"{name}.toml")
    return rules


def _named(entry: Any, where: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(entry, dict):
        raise RuleError(f"{where}: is no table; begin it with [[rules]]")
    body = dict(entry)
    try:
        return msgspec.convert(body.pop("name", None), Name), body
    except msgspec.ValidationError as exc:
        raise RuleError(
            f"{where}: name: 1 to 128 letters, digits, dots, colons, underscores or hyphens"
        ) from exc


def said(error: Exception) -> str:
    """What msgspec says, with the field in front as everywhere else, and what to write."""
    message, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    found = _FIELD.fullmatch(message)
    if found is not None:
        path = f"{path}.{found['field']}".lstrip(".")
        message = (
            "is missing" if found["problem"] == "missing required" else "there is no such field"
        )
    elif path and _OWN_WORDS.match(message):
        return f"{path}.{message}"
    advice = _ADVICE.get(re.sub(r"\[.*", "", path).rpartition(".")[2])
    message = f"{message}; write {advice}" if advice else message
    return f"{path}: {message}" if path else message
