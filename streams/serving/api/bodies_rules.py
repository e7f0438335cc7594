"""What the API says of alert rules, and what a back-test is asked for."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import Time, format_time
from storage.rules import StoredRule, list_rules
from streams.alerts.book import SHIPPED_VERSION
from streams.alerts.rule import RuleError, RuleSpec, shipped_rules, spec_of
from streams.serving.api.bodies import Cursor

SHIPPED_AUTHOR = "affectstream"


class RuleBody(Struct, frozen=True, kw_only=True):
    """One version of a rule."""

    name: str
    version: int
    """0 is the one that comes with the program."""
    valid_from: Time
    """It holds for windows that start here or later."""
    author: str
    stored: Time | None
    """Null for the one that comes with the program."""
    shipped: bool
    spec: RuleSpec | None
    """Null where the rule is switched off."""


class RuleDetail(RuleBody, frozen=True, kw_only=True):
    """The newest version of a rule, and all of them, newest first."""

    versions: tuple[RuleBody, ...]


class RulePage(Struct, frozen=True, kw_only=True):
    """The newest version of each rule, by name."""

    items: tuple[RuleBody, ...]
    next: Cursor


class BackTestRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rule to try, on which conversations."""

    rule: RuleSpec
    begin: Annotated[datetime, Meta(tz=True)] = msgspec.field(name="from")
    end: Annotated[datetime, Meta(tz=True)] = msgspec.field(name="to")
    queue: Annotated[str, Meta(max_length=256, pattern=r"^[^\x00]*$")] | None = None
    """Only conversations that began in it."""
    wanted_per_hour: Annotated[float, Meta(gt=0.0, le=10_000.0)] | None = None
    """Alerts in an hour of watched time; asks for `suggested`."""


def stored_body(rule: StoredRule) -> RuleBody:
    """A stored version. One that this program cannot read is shown as switched off."""
    try:
        spec = None if rule.body is None else spec_of(rule.body, rule.name)
    except RuleError:
        spec = None
    return RuleBody(
        name=rule.name,
        version=rule.version,
        valid_from=format_time(rule.valid_from_ns),
        author=rule.author,
        stored=format_time(rule.stored_ns),
        shipped=False,
        spec=spec,
    )


def shipped_body(name: str, spec: RuleSpec) -> RuleBody:
    """The version that comes with the program."""
    return RuleBody(
        name=name,
        version=SHIPPED_VERSION,
        valid_from=format_time(0),
        author=SHIPPED_AUTHOR,
        stored=None,
        shipped=True,
        spec=spec,
    )


async def newest_bodies(engine: AsyncEngine, tenant: str) -> list[RuleBody]:
    """The newest version of each rule of a tenant by name.

    Shipped rules that are switched off are in it, others that are not. Raises
    StoreUnavailableError.
    """
    bodies = {name: shipped_body(name, spec) for name, spec in shipped_rules().items()}
    for rule in await list_rules(engine, tenant):
        if rule.body is not None or rule.name in bodies:
            bodies[rule.name] = stored_body(rule)
    return [bodies[name] for name in sorted(bodies)]
