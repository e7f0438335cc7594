"""Alert rules and their back-tests, as the API tells them."""

from typing import Any, Final
from urllib.parse import quote

import msgspec

from streams.serving.dashboard.asking import Asking

LONGEST_BACKTEST_S: Final = 120.0
"""Of the most windows that the API tries out, on a busy machine."""
MOST: Final = 400
"""Rules that are listed; a tenant has some hundred at most."""
Spec = dict[str, Any]
"""A rule as the API takes it; the editor changes what it knows and keeps the rest."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one rule; without a spec it is switched off."""

    name: str
    version: int
    valid_from: str | None = None
    author: str | None = None
    shipped: bool = False
    spec: Spec | None = None


class RuleWithVersions(Rule, frozen=True, kw_only=True):
    """A rule and what it was."""

    versions: tuple[Rule, ...] = ()


class Delay(msgspec.Struct, frozen=True):
    """From the first moment over the threshold to firing, seconds."""

    median: float
    p90: float


class Reviewed(msgspec.Struct, frozen=True):
    """Verdicts of people on what the rule would have raised."""

    right: int
    wrong: int
    unclear: int
    missed: int = 0
    precision: float | None = None


class Episode(msgspec.Struct, frozen=True):
    """One alert that the rule would have raised."""

    conversation: str
    participant: str
    fired: str
    since: str | None = None
    resolved: str | None = None
    peak: float | None = None


class Threshold(msgspec.Struct, frozen=True):
    """What another threshold would give."""

    enter: float
    alerts_per_hour: float | None = None
    exit: float | None = None
    flaps: int = 0


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule would have done."""

    conversations: int
    hours: float
    alerts: int
    alerts_per_hour: float | None = None
    flaps: int = 0
    delay_s: Delay | None = None
    reviewed: Reviewed | None = None
    episodes: tuple[Episode, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    suggested: Threshold | None = None


async def rules(asking: Asking) -> list[Rule]:
    """The rules of the tenant, shipped ones included."""
    return await asking.listed("/v1/rules", Rule, most=MOST)


async def rule(asking: Asking, name: str) -> RuleWithVersions:
    """One rule with its versions."""
    return await asking.get(_path(name), RuleWithVersions)


async def put_rule(asking: Asking, name: str, spec: Spec, version: int | None) -> Rule:
    """Store a new version; refused (412) where somebody else was quicker than `version`."""
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    return await asking.send("PUT", _path(name), Rule, spec, headers)


async def switch_off(asking: Asking, name: str) -> None:
    """No more alerts of this rule."""
    await asking.drop(_path(name))


async def backtest(
    asking: Asking,
    spec: Spec,
    start: str,
    end: str,
    *,
    queue: str = "",
    wanted: float | None = None,
) -> Backtest:
    """Run a rule over stored scores of `[start, end)`, RFC 3339."""
    body: dict[str, Any] = {"rule": spec, "from": start, "to": end}
    if queue:
        body["queue"] = queue
    if wanted is not None:
        body["wanted_per_hour"] = wanted
    return await asking.send(
        "POST", "/v1/rules/backtest", Backtest, body, timeout_s=LONGEST_BACKTEST_S
    )


def _path(name: str) -> str:
    return f"/v1/rules/{quote(name, safe='')}"
