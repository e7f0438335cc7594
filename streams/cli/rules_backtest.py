"""`affectstream rules backtest`: what a rule would have done."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from streams.alerts.report import BackTestBody
from streams.alerts.rule import RuleSpec
from streams.settings import Settings

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def backtest(
    file: Path,
    *,
    begin: Annotated[datetime, Parameter(name="--from")],
    end: Annotated[datetime, Parameter(name="--to")],
    rule: str | None = None,
    queue: str | None = None,
    wanted_per_hour: float | None = None,
    json: bool = False,
) -> None:
    """Try rules on stored scores before they go live: alerts an hour, flaps, delay, precision.

    Example: `affectstream rules backtest rules.toml --from 2026-11-23 --to 2026-11-24`

    Conversations that ran in that time are read from their beginning; alerts that fired in it
    count, in an hour of watched talk. The machine is the one of the live service: on the same
    scores it would have done the same. Nothing is stored.

    Args:
        file: TOML file with a table [[rules]] for each rule.
        begin: a date, or a time as 2026-11-23T10:00:00+01:00; UTC where nothing is said.
        end: the same; not included.
        rule: only the one of this name.
        queue: only conversations that began in it.
        wanted_per_hour: ask for the threshold that comes nearest to so many alerts.
        json: print one JSON object a rule instead of tables.
    """
    from streams.alerts.rule import RuleError, read_rules
    from streams.cli._rules import findings_told
    from streams.cli._start import read_settings

    rules = read_rules(file)
    if rule is not None and rule not in rules:
        raise RuleError(f"{file}: there is no rule {rule}; it holds {', '.join(rules)}")
    chosen = rules if rule is None else {rule: rules[rule]}
    from_ns, to_ns = _ns(begin), _ns(end)
    if from_ns >= to_ns:
        raise RuleError(f"--to: {end.isoformat()} is not after --from, {begin.isoformat()}")
    if wanted_per_hour is not None and wanted_per_hour <= 0:
        raise RuleError(f"--wanted-per-hour: {wanted_per_hour:g} is no rate; write one above 0")
    settings = read_settings()
    found = asyncio.run(_tried(settings, chosen, from_ns, to_ns, queue, wanted_per_hour))
    console = Console(highlight=False, emoji=False)
    for place, (name, body) in enumerate(found.items()):
        if json:
            line = msgspec.json.encode({"rule": name, **msgspec.to_builtins(body)}).decode()
            print(line)  # noqa: T201 - the command's result
        else:
            console.print(*([""] if place else []), findings_told(name, chosen[name], body))


async def _tried(
    settings: Settings,
    rules: Mapping[str, RuleSpec],
    from_ns: int,
    to_ns: int,
    queue: str | None,
    wanted_per_hour: float | None,
) -> dict[str, BackTestBody]:
    from storage.hindsight import Stretch, count_conversations
    from streams.alerts.report import report
    from streams.alerts.stored import run_back_test
    from streams.cli._database import opened

    stretch = Stretch(tenant=settings.tenant, from_ns=from_ns, to_ns=to_ns, queue=queue)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    found: dict[str, BackTestBody] = {}
    async with opened(settings) as engine:
        total = await count_conversations(engine, stretch)
        with Progress(*columns, console=Console(stderr=True)) as bar:
            for name, spec in rules.items():
                task = bar.add_task(name, total=total)
                findings = await run_back_test(
                    engine,
                    spec,
                    stretch,
                    wanted_per_hour=wanted_per_hour,
                    on_conversation=partial(bar.advance, task),
                )
                found[name] = report(findings, stretch)
    return found


def _ns(moment: datetime) -> int:
    """Nanoseconds since the epoch."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round((aware - _EPOCH).total_seconds() * 1e6) * 1_000
