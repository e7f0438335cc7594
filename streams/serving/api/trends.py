"""`/v1/trends`: how many conversations read together, and what changed since a week before."""

import time
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time
from inference.labels import Role
from inference.units import DAY_NS, HOUR_NS, MINUTE_NS
from storage.trends import Group, Stretch, read_cells
from streams.serving.access.caller import Caller, Viewer
from streams.serving.answers import json_answer
from streams.serving.api.bodies_trends import (
    BucketWidth,
    ChangesBody,
    TrendsBody,
    change_body,
    trend_body,
)
from streams.serving.api.conversations import INT64_MAX, to_ns
from streams.serving.api.schemas import answers
from streams.serving.api.times import Moment
from streams.serving.problems import ProblemError, documented
from streams.serving.trends import LEVEL, WEEK_NS, changes, withheld

WIDTH_NS: Final[dict[BucketWidth, int]] = {"1m": MINUTE_NS, "1h": HOUR_NS, "1d": DAY_NS}
PARENT_NS: Final[dict[BucketWidth, int]] = {"1m": HOUR_NS, "1h": DAY_NS}
"""The buckets that hold those of a width: a hidden one must not be what remains of them."""
USUAL_NS: Final[dict[BucketWidth, int]] = {"1m": HOUR_NS, "1h": DAY_NS, "1d": 28 * DAY_NS}
"""What is shown where nobody says `from`."""
SHARED: Final = frozenset({Group.AGENT, Group.ROLE})
"""Groups of which one conversation may be in several."""
MOST_BUCKETS: Final = 1_500
LONGEST_NS: Final = 366 * DAY_NS
"""More rollups than this many days have are more than one question should read."""

GroupParam = Annotated[Group, Query(description="`agent`: what customers of that agent express.")]
Begin = Annotated[Moment | None, Query(alias="from")]
End = Annotated[Moment | None, Query(alias="to")]
QueueParam = Annotated[str | None, Query(max_length=256, pattern=r"^[^\x00]*$")]
RoleParam = Annotated[
    Role | None,
    Query(description="Whose windows; customers', or everybody's where they are grouped by role."),
]


def router(engine: AsyncEngine, floor: int) -> APIRouter:
    """Routes over the rollups of the caller's tenant.

    Args:
        engine: of the database.
        floor: conversations of the smallest group that figures are shown of.
    """
    routes = APIRouter(prefix="/v1/trends", tags=["trends"])

    @routes.get("", responses=answers(TrendsBody) | documented(422, 503))
    async def trends(
        caller: Viewer,
        group: GroupParam = Group.QUEUE,
        bucket: Annotated[BucketWidth, Query()] = "1h",
        begin: Begin = None,
        end: End = None,
        queue: QueueParam = None,
        role: RoleParam = None,
    ) -> Response:
        """Means by group and stretch of time over windows that start in `[from, to)`.

        The range is widened to whole buckets; without `from` it is the last hour, day or
        four weeks. Items that rest on fewer than `floor` conversations are withheld, and
        others where those could be worked out from them.
        """
        width_ns = WIDTH_NS[bucket]
        parent_ns = PARENT_NS.get(bucket)
        from_ns, to_ns = whole_range(begin, end, width_ns, USUAL_NS[bucket])
        if to_ns - from_ns > MOST_BUCKETS * width_ns:
            raise refused(f"from, to: more than {MOST_BUCKETS} buckets; ask for larger ones")
        whole_ns = parent_ns or width_ns
        cells = await read_cells(
            engine,
            _stretch(
                caller, group, queue, role,
                _down(from_ns, whole_ns), _up(to_ns, whole_ns), width_ns,
            ),
        )  # fmt: skip
        hidden = withheld(cells, floor, parent_ns=parent_ns, shared=group in SHARED)
        return json_answer(
            TrendsBody(
                group=group,
                bucket=bucket,
                start=format_time(from_ns),
                end=format_time(to_ns),
                floor=floor,
                items=tuple(
                    trend_body(cell, withheld=(cell.key, cell.start_ns) in hidden)
                    for cell in cells
                    if from_ns <= cell.start_ns < to_ns
                ),
            )
        )

    @routes.get("/changes", responses=answers(ChangesBody) | documented(422, 503))
    async def changed(
        caller: Viewer,
        group: GroupParam = Group.QUEUE,
        begin: Begin = None,
        end: End = None,
        queue: QueueParam = None,
        role: RoleParam = None,
    ) -> Response:
        """Mean distress of each group in `[from, to)` against the same stretch a week before.

        The range is widened to whole hours; without `from` it is the last day. `news` is true
        where the interval of the difference excludes 0: the others may be noise.
        """
        from_ns, to_ns = whole_range(begin, end, HOUR_NS, DAY_NS)
        now, before = [
            await read_cells(
                engine,
                _stretch(
                    caller, group, queue, role,
                    from_ns - back_ns, to_ns - back_ns, to_ns - from_ns,
                ),
            )
            for back_ns in (0, WEEK_NS)
        ]  # fmt: skip
        found = changes(now, before, floor, shared=group in SHARED)
        return json_answer(
            ChangesBody(
                group=group,
                start=format_time(from_ns),
                end=format_time(to_ns),
                floor=floor,
                level=LEVEL,
                items=tuple(change_body(change) for change in found),
            )
        )

    return routes


def _stretch(
    caller: Caller,
    group: Group,
    queue: str | None,
    role: Role | None,
    from_ns: int,
    to_ns: int,
    width_ns: int,
) -> Stretch:
    if group is Group.AGENT and role not in {None, Role.CUSTOMER}:
        raise refused("role: by agent there is only what customers expressed; leave it out")
    everybody = group is Group.ROLE and role is None
    return Stretch(
        tenant=caller.tenant,
        group=group,
        from_ns=from_ns,
        to_ns=to_ns,
        width_ns=width_ns,
        role=None if everybody else role or Role.CUSTOMER,
        queue=queue,
    )


def whole_range(
    begin: datetime | None, end: datetime | None, width_ns: int, usual_ns: int
) -> tuple[int, int]:
    """Whole buckets that hold what was asked for; without an end they reach to now.

    Raises ProblemError (422) where there is none, or they are more than `LONGEST_NS`.
    """
    to_ns = _up(time.time_ns() if end is None else _within(end), width_ns)
    from_ns = _down(max(0, to_ns - usual_ns) if begin is None else _within(begin), width_ns)
    if from_ns >= to_ns:
        raise refused("from: not before `to`")
    if to_ns - from_ns > LONGEST_NS:
        raise refused(f"from, to: more than {LONGEST_NS // DAY_NS} days")
    return from_ns, to_ns


def _within(moment: datetime) -> int:
    """Nanoseconds, so that whole days around them still fit a database column."""
    return min(to_ns(moment), INT64_MAX - 2 * DAY_NS)


def _down(at_ns: int, width_ns: int) -> int:
    return at_ns // width_ns * width_ns


def _up(at_ns: int, width_ns: int) -> int:
    return -(-at_ns // width_ns) * width_ns


def refused(detail: str) -> ProblemError:
    """A question that cannot be answered as it is."""
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
