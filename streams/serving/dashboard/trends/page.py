"""The page *Trends*: how groups of calls read over time, and what changed since a week before."""

import time
from datetime import tzinfo
from functools import partial
from typing import Final

from nicegui import ui

from inference.contract import format_time
from inference.units import SECOND_NS
from streams.serving.dashboard.desk import Desk
from streams.serving.dashboard.shell import desk_words as words
from streams.serving.dashboard.shell.desk_page import desk_page
from streams.serving.dashboard.shell.forms import Field, grid, said
from streams.serving.dashboard.shell.frame import heading
from streams.serving.dashboard.shell.section import Section
from streams.serving.dashboard.shell.words import CAVEAT, STORY, percent
from streams.serving.dashboard.trends import client as api
from streams.serving.dashboard.trends.rows import (
    ChangeRow,
    CourseRow,
    changed,
    courses,
    highest,
    minute,
)

GROUPS: Final = {"queue": "Queue", "role": "Role", "language": "Language", "agent": "Agent"}
SHIFT: Final = "shift"
RANGES: Final = {
    SHIFT: "last 8 hours, by hour",
    "1": "last 24 hours, by hour",
    "7": "last 7 days, by day",
    "28": "last 28 days, by day",
}
HOURLY: Final = (SHIFT, "1")
SHIFT_S: Final = 8 * 3_600
HOUR_S: Final = 3_600
DAY_S: Final = 86_400
REFRESH_S: Final = 60.0
LEAD: Final = "Mean estimates of distress by group of calls."


async def trends_page(desk: Desk) -> None:
    """Groups of calls over time."""
    async with desk_page(desk, "Trends", LEAD, CAVEAT) as zone:
        page = TrendsPage(desk, zone)
    await page.load()
    ui.timer(REFRESH_S, page.load, immediate=False)


class TrendsPage:
    """Courses and changes of one grouping."""

    def __init__(self, desk: Desk, zone: tzinfo) -> None:
        self._desk = desk
        self._zone = zone
        self._floor = 5
        self._range_ns = (0, 0)
        with ui.element("div").classes("filters"):
            self._group = Field("By", "queue", options=GROUPS, on_change=self.load)
            self._range = Field("Time", "7", options=RANGES, on_change=self.load)
        heading(2, STORY).style("margin: 20px 0 10px")
        self._story = Section(self._read_story, self._place_story, zone)
        self._agents = ui.label(words.AGENT_NOTE).classes("lead")
        heading(2, "Over time").style("margin: 20px 0 10px")
        self._courses = Section(self._read_courses, self._place_courses, zone)
        heading(2, "Against the week before").style("margin: 24px 0 10px")
        self._changes = Section(self._read_changes, self._place_changes, zone)

    async def load(self) -> None:
        """Read both parts for what is chosen."""
        is_hourly = self._range.value in HOURLY
        step_ns = (HOUR_S if is_hourly else DAY_S) * SECOND_NS
        end_ns = -(-time.time_ns() // step_ns) * step_ns
        long_s = SHIFT_S if self._range.value == SHIFT else int(self._range.value) * DAY_S
        self._range_ns = (end_ns - long_s * SECOND_NS, end_ns)
        self._agents.set_visibility(self._group.value == "agent")
        await self._story.load()
        await self._courses.load()
        await self._changes.load()

    async def _read_story(self) -> api.Summary:
        start, end = map(format_time, self._range_ns)
        return await api.summary(self._desk.asking, start, end)

    def _place_story(self, found: api.Summary) -> None:
        with ui.element("div").classes("card"):
            ui.label(found.text).classes("story")
            ui.label(words.TOLD_OF_MANY.format(narrator=found.narrator)).classes("small")

    async def _read_courses(self) -> tuple[str, tuple[int, int], api.Trends]:
        bucket = "1h" if self._range.value in HOURLY else "1d"
        group, range_ns = self._group.value, self._range_ns  # another may be chosen meanwhile
        found = await api.trends(self._desk.asking, group, bucket, *map(format_time, range_ns))
        self._floor = found.floor
        return group, range_ns, found

    async def _read_changes(self) -> tuple[str, tuple[int, int], int, list[api.Change]]:
        group, range_ns = self._group.value, self._range_ns
        found = await api.changes(self._desk.asking, group, *map(format_time, range_ns))
        return group, range_ns, self._floor, found

    def _place_courses(self, read: tuple[str, tuple[int, int], api.Trends]) -> None:
        group, (start_ns, end_ns), found = read
        rows = courses(found.items, group, start_ns, end_ns, found.floor)
        with ui.element("div").classes("card"):
            if not rows:
                ui.label("No call was scored in this time.").classes("lonely")
                return
            span = " to ".join(minute(format_time(at), self._zone) for at in (start_ns, end_ns))
            ui.label(
                f"{span}. Line: mean; band: what noise leaves open; grey: withheld. "
                f"All groups have one scale, 0 to {percent(highest(found.items))}."
            ).classes("small")
            grid(
                "Over time",
                (GROUPS[group], "Course", "Mean", "Most calls in a stretch"),
                [
                    (
                        partial(_name, row),
                        partial(_course, row),
                        row.mean,
                        row.conversations,
                    )
                    for row in rows
                ],
            )

    def _place_changes(self, read: tuple[str, tuple[int, int], int, list[api.Change]]) -> None:
        group, _, floor, found = read
        rows = changed(found, floor)
        with ui.element("div").classes("card"):
            if not rows:
                ui.label("Nothing to compare with yet.").classes("lonely")
                return
            ui.label(
                "Dot: difference in points of percent; whisker: its interval. Where it holds 0 "
                "there is no clear change."
            ).classes("small")
            grid(
                "Against the week before",
                (GROUPS[group], "Difference", "In words", "Interval", "Now", "A week before"),
                [
                    (
                        row.name,
                        partial(_whisker, row),
                        partial(_said, row),
                        row.interval,
                        row.now,
                        row.before,
                    )
                    for row in rows
                ],
            )


def _name(row: CourseRow) -> None:
    ui.link(row.name, row.link).classes("id")


def _course(row: CourseRow) -> None:
    if row.withheld:
        ui.label(row.withheld).classes("small")
        return
    ui.html(row.svg, sanitize=False)
    ui.label(row.said).classes("small")


def _said(row: ChangeRow) -> None:
    said("strong" if row.is_news else "span", row.said)


def _whisker(row: ChangeRow) -> None:
    if not row.interval:
        return
    with ui.element("div").classes("whisker" if row.is_news else "whisker unclear") as plot:
        plot.props("aria-hidden=true")  # the words beside it say the same
        ui.element("div").classes("zero").style("left: 50%")
        ui.element("div").classes("range").style(f"left: {row.left}%; width: {row.width}%")
        ui.element("div").classes("dot").style(f"left: {row.dot}%")
