"""What people do with alerts: display and delivery follow, the state machine never does."""

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.alerts import AlertJson, Step, alert_json, find_alert
from storage.engine import transaction
from storage.messages import write_outbox
from storage.schema import alerts
from storage.transitions import outgoing
from storage.values import LIVE_RUN

Verdict = Literal["right", "wrong", "unclear"]


async def acknowledge(
    engine: AsyncEngine, tenant: str, alert: str, *, by: str, note: str | None, now_ns: int
) -> AlertJson | None:
    """Somebody has it in hand. The first who says so stays; None where there is no such alert.

    Raises StoreUnavailableError.
    """
    values = {"acknowledged_ns": now_ns, "acknowledged_by": by, "acknowledged_note": note}
    return await _change(engine, tenant, alert, "acknowledged", now_ns, values, once=True)


async def snooze(
    engine: AsyncEngine, tenant: str, alert: str, *, by: str, until_ns: int | None, now_ns: int
) -> AlertJson | None:
    """Send nobody that it fires until `until_ns`; None ends that. None for no such alert.

    Raises StoreUnavailableError.
    """
    values = {"snoozed_until_ns": until_ns, "snoozed_by": None if until_ns is None else by}
    return await _change(engine, tenant, alert, "snoozed", now_ns, values)


async def judge(
    engine: AsyncEngine,
    tenant: str,
    alert: str,
    *,
    by: str,
    verdict: Verdict,
    note: str | None,
    now_ns: int,
) -> AlertJson | None:
    """Whether the alert was right; the last word counts. None where there is no such alert.

    Raises StoreUnavailableError.
    """
    values = {"verdict": verdict, "verdict_ns": now_ns, "verdict_by": by, "note": note}
    return await _change(engine, tenant, alert, "judged", now_ns, values)


async def _change(
    engine: AsyncEngine,
    tenant: str,
    alert: str,
    step: Step,
    now_ns: int,
    values: Mapping[str, Any],
    *,
    once: bool = False,
) -> AlertJson | None:
    """Set columns of one alert of the live run, and tell the feed, so that all pages follow."""
    async with transaction(engine) as connection:
        row = await find_alert(connection, tenant, LIVE_RUN, alert, lock=True)
        if row is None:
            return None
        if once and row["acknowledged_ns"] is not None:
            return alert_json(row)
        await connection.execute(
            update(alerts)
            .where(alerts.c.tenant == tenant, alerts.c.run == LIVE_RUN, alerts.c.alert == alert)
            .values(**values)
        )
        changed = {**row, **values}
        order_ns = max(now_ns, (row["resolved_ns"] or row["fired_ns"]) + 2)  # after those
        message = outgoing(changed, step, now_ns, sinks=("feed",), order_ns=order_ns)
        await write_outbox(connection, [message])
    return alert_json(changed)
