"""`affectstream rules list`."""

import asyncio

import msgspec
from rich.console import Console

from streams.serving.api.bodies_rules import RuleBody
from streams.settings import Settings


def list_(*, shipped: bool = False, json: bool = False) -> None:
    """Show the alert rules of the tenant: the newest version of each, by name.

    Example: `affectstream rules list --shipped`

    Args:
        shipped: only those that come with the program, as they come; needs no database.
        json: print one JSON object a rule, as the API shows it.
    """
    from streams.alerts.rule import shipped_rules
    from streams.cli._rules import rules_table
    from streams.cli._start import read_settings
    from streams.serving.api.bodies_rules import shipped_body

    if shipped:
        bodies = [shipped_body(name, spec) for name, spec in shipped_rules().items()]
    else:
        bodies = asyncio.run(_newest(read_settings()))
    if json:
        for body in bodies:
            print(msgspec.json.encode(body).decode())  # noqa: T201 - the command's result
        return
    Console(highlight=False, emoji=False).print(
        rules_table(
            (
                body.name,
                "shipped" if body.shipped else f"{body.version}, from {body.valid_from}",
                body.spec,
            )
            for body in bodies
        )
    )


async def _newest(settings: Settings) -> list[RuleBody]:
    from streams.cli._database import opened
    from streams.serving.api.bodies_rules import newest_bodies

    async with opened(settings) as engine:
        return await newest_bodies(engine, settings.tenant)
