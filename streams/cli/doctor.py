"""`affectstream doctor`: what is missing, and what to do."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from rich.console import Console

from inference.errors import AffectstreamError
from streams.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

CLOCK_LIMIT_S: Final = 1.0
ANSWER_S: Final = 60.0
Probe = Callable[[Settings], Awaitable[str]]


class Finding(msgspec.Struct, frozen=True):
    """What one check found."""

    check: str
    ok: bool
    detail: str


class ClockError(AffectstreamError):
    """Two machines disagree about the time."""


class SchemaError(AffectstreamError):
    """The database is not at the schema of this version."""


class RulesError(AffectstreamError):
    """Alert rules that do not hold, or that tell nobody."""


class OpenError(AffectstreamError):
    """The settings let `serve` refuse to start."""


def doctor(*, json: bool = False) -> int:
    """Check broker, topics, database, cache, clock, rules, access and models; 1 if one fails.

    Example: `affectstream doctor`

    Args:
        json: print one object a check, for programs.
    """
    from streams.cli._start import read_settings

    findings = asyncio.run(_examine(read_settings()))
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        if json:
            print(msgspec.json.encode(finding).decode())  # noqa: T201 - the command's result
        else:
            mark = "[green]ok[/]    " if finding.ok else "[red]failed[/]"
            console.print(f"{mark} [bold]{finding.check:<9}[/]", end=" ")
            console.print(finding.detail, markup=False)
    return 0 if all(finding.ok for finding in findings) else 1


async def _examine(settings: Settings) -> list[Finding]:
    probes: dict[str, Probe] = {
        "topics": _topics,
        "database": _database,
        "clock": _clock,
        "cache": _cache,
        "rules": _rules,
        "access": _access,
        "models": _models,
    }
    return [await _ask(name, probe, settings) for name, probe in probes.items()]


async def _ask(name: str, probe: Probe, settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(ANSWER_S):
            return Finding(name, ok=True, detail=await probe(settings))
    except TimeoutError:
        return Finding(name, ok=False, detail=f"no answer within {ANSWER_S:.0f} s")
    except AffectstreamError as exc:
        return Finding(name, ok=False, detail=str(exc))


@asynccontextmanager
async def _engine(settings: Settings) -> AsyncIterator["AsyncEngine"]:
    from storage.engine import open_engine

    engine = open_engine(settings.database_url.get_secret_value())
    try:
        yield engine
    finally:
        await engine.dispose()


async def _topics(settings: Settings) -> str:
    from streams import topics
    from streams.kafka_admin import check_topics

    await asyncio.to_thread(check_topics, settings.kafka, partitions=settings.partitions)
    return (
        f"{settings.kafka} answers; all {len(topics.ALL)} topics are there, each with "
        f"{settings.partitions} partitions"
    )


async def _database(settings: Settings) -> str:
    from storage.upgrade import newest_revision, revision

    async with _engine(settings) as engine:
        found, wanted = await revision(engine), newest_revision()
    if found != wanted:
        raise SchemaError(
            f"the schema is at {found or 'nothing'}, this version wants {wanted}: run "
            "`affectstream db upgrade`"
        )
    return f"{engine.dialect.name} answers; the schema is at {found}"


async def _clock(settings: Settings) -> str:
    from storage.upgrade import server_time_ns

    async with _engine(settings) as engine:
        before_ns = time.time_ns()
        theirs_ns = await server_time_ns(engine)
        ours_ns = (before_ns + time.time_ns()) // 2
    apart_s = abs(theirs_ns - ours_ns) / 1e9
    if apart_s > CLOCK_LIMIT_S:
        raise ClockError(
            f"this machine and the database are {apart_s:.1f} s apart: synchronise both with NTP; "
            "event times more than 60 s ahead of the broker are refused"
        )
    return f"this machine and the database are {apart_s * 1e3:.0f} ms apart"


async def _cache(settings: Settings) -> str:
    from storage.cache import open_shared_cache

    cache = open_shared_cache(settings.cache_url.get_secret_value())
    try:
        await cache.check()
    finally:
        await cache.close()
    return "Redis answers"


async def _rules(settings: Settings) -> str:
    """Whether every stored rule reads, and names targets that the settings have."""
    from storage.rules import read_every_rule
    from streams.alerts.book import RuleBook

    async with _engine(settings) as engine:
        stored = await read_every_rule(engine)
    book = RuleBook.of(stored)
    if book.unreadable:
        raise RulesError(f"{book.unreadable[0]}; it holds as if it were switched off")
    known = {f"webhook:{name}" for name in settings.webhooks}
    if settings.alertmanager_url.get_secret_value():
        known.add("alertmanager")
    now_ns, count = time.time_ns(), 0
    for tenant in sorted({settings.tenant, *(row.tenant for row in stored)}):
        for rule in book.in_force(tenant, now_ns):
            count += tenant == settings.tenant
            unknown = sorted({*rule.spec.notify} - known)
            if unknown:
                raise RulesError(
                    f"rule {rule.name} of tenant {tenant} tells {unknown[0]}, which no setting "
                    "names: write it under webhooks, or change notify"
                )
    return f"{count} alert rules of tenant {settings.tenant}; {len(known)} targets outside"


async def _access(settings: Settings) -> str:
    """Who may ask the API, and whether subjects can be kept as digests."""
    from storage.keys import keys_exist
    from streams.serving.access.local import is_loopback

    async with _engine(settings) as engine:
        keys = await keys_exist(engine)
    ways = [name for name, there in (("keys", keys), ("OIDC", bool(settings.oidc_issuer))) if there]
    if not ways and not is_loopback(settings.api_host):
        raise OpenError(
            f"serve will refuse to listen on {settings.api_host}: make a key with "
            "`affectstream keys create NAME --rank supervisor`, or set oidc_issuer"
        )
    asked = " and ".join(ways) if ways else "this machine only, without credentials"
    secret = "" if settings.secret.get_secret_value() else "; no `secret`: subjects are not kept"
    return f"the API answers {asked}{secret}"


async def _models(settings: Settings) -> str:
    from inference.fusion.artefact import FusionArtefact
    from inference.panel import load_experts
    from streams.cli._scoring import expert_choice, open_fusers

    choice = expert_choice(settings)
    own = settings.calibration
    fusers = open_fusers(settings)
    experts = await asyncio.to_thread(load_experts, choice)
    lines = [f"profile {choice.profile}"]
    for expert in experts:
        chosen = choice.named(expert.modality)
        lines.append(f"{expert.modality} {expert.version}" + (f" ({chosen})" if chosen else ""))
    others = [one.modality for one in experts if not choice.is_what_fusion_knows(one.modality)]
    lines.append(f"fusion {fusers.of(settings.tenant).version}")
    if own:
        fitted_with = FusionArtefact.load(Path(own)).experts
        known = ", ".join(f"{modality} {name}" for modality, name in fitted_with.items())
        lines.append(f"calibrated ({own}) with {known}")
    elif others:
        lines.append(
            f"fusion was calibrated with other experts of {', '.join(others)}: the coverage that "
            "scores state is no promise"
        )
    return "; ".join(lines)
