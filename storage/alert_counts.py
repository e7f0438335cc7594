"""How many alerts fired in a stretch of time, by queue, rule and severity."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engine import snapshot
from storage.schema import alerts
from storage.values import LIVE_RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCount:
    """Alerts of one rule in one queue."""

    queue: str
    rule: str
    severity: str
    alerts: int


async def count_alerts(
    engine: AsyncEngine, tenant: str, *, from_ns: int, to_ns: int
) -> list[AlertCount]:
    """Alerts of the live run that fired in `[from_ns, to_ns)`, by queue, rule and severity.

    Raises StoreUnavailableError.
    """
    group = (alerts.c.queue, alerts.c.rule, alerts.c.severity)
    query = (
        select(*group, func.count().label("alerts"))
        .where(
            alerts.c.tenant == tenant,
            alerts.c.run == LIVE_RUN,
            alerts.c.fired_ns >= from_ns,
            alerts.c.fired_ns < to_ns,
        )
        .group_by(*group)
        .order_by(*group)
    )
    async with snapshot(engine) as connection:
        return [AlertCount(**row) for row in (await connection.execute(query)).mappings()]
