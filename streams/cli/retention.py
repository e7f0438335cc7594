"""`affectstream retention`."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console

from inference.units import SECOND_NS
from streams.settings import Settings

if TYPE_CHECKING:
    from storage.retention import Expired


def retention(
    *,
    dry_run: Annotated[bool, Parameter(negative=(), help="Only say what would go.")] = False,
    json: Annotated[bool, Parameter(negative=(), help="One JSON object a line.")] = False,
) -> None:
    """Delete what is older than its class may be; safe to repeat, and while workers run.

    How long each class is kept are the settings `keep_…_days`. Run it once a day.

    Example: `affectstream retention --dry-run`
    """
    from streams.cli._start import read_settings

    found = asyncio.run(_retention(read_settings(), dry_run=dry_run))
    if json:
        _print_json(found, dry_run=dry_run)
        return
    _show(found, dry_run=dry_run)


def _show(found: "list[Expired]", *, dry_run: bool) -> None:
    """A table by class, and the sum."""
    from rich.table import Table

    from inference.contract import format_time

    table = Table(box=None, pad_edge=False)
    for heading in ("class", "before", "rows", "of table"):
        table.add_column(heading, justify="right" if heading == "rows" else "left")
    for item in found:
        before = format_time(item.before_ns // SECOND_NS * SECOND_NS)
        table.add_row(item.kind, before, str(item.rows), item.table)
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    total = sum(item.rows for item in found)
    console.print(f"{total} rows would go" if dry_run else f"{total} rows went")


async def _retention(settings: Settings, *, dry_run: bool) -> "list[Expired]":
    from storage.engine import open_engine
    from storage.retention import Retention, apply, expired

    kept = Retention(
        scores_days=settings.keep_scores_days,
        alerts_days=settings.keep_alerts_days,
        rollups_days=settings.keep_rollups_days,
        audit_days=settings.keep_audit_days,
    )
    engine = open_engine(settings.database_url.get_secret_value())
    try:
        return await (expired if dry_run else apply)(engine, kept, time.time_ns())
    finally:
        await engine.dispose()


def _print_json(found: "list[Expired]", *, dry_run: bool) -> None:
    import msgspec

    from inference.contract import format_time

    for item in found:
        line = {
            "class": item.kind,
            "table": item.table,
            "before": format_time(item.before_ns),
            "rows": item.rows,
            "dry_run": dry_run,
        }
        print(msgspec.json.encode(line).decode())  # noqa: T201 - the command's result
