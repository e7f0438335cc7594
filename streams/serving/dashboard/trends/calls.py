"""The conversations behind a figure of *Trends*."""

from contextlib import aclosing
from datetime import tzinfo
from functools import partial
from typing import Final
from urllib.parse import quote

from nicegui import ui

from inference.contract import format_time, parse_time
from inference.units import SECOND_NS
from streams.serving.dashboard.desk import Desk
from streams.serving.dashboard.live.rows import Conversation
from streams.serving.dashboard.shell import words
from streams.serving.dashboard.shell.forms import grid
from streams.serving.dashboard.shell.frame import (
    browser_zone,
    frame,
    heading,
    show_state,
    skip_link,
)
from streams.serving.dashboard.shell.section import Section
from streams.serving.dashboard.trends.rows import belongs, minute

MOST: Final = 200
WRONG_TIME: Final = "This address has no time that can be read. Come from Trends."


async def calls_page(desk: Desk, group: str, key: str, start: str, end: str) -> None:
    """Conversations of a group that began in `[start, end)`."""
    skip_link("#main")
    state = frame("")
    with ui.element("main").classes("page").props("id=main tabindex=-1"):
        heading(1, f"Calls of {key}" if key else "Calls")
        lead = ui.label().classes("lead")
        trouble = ui.label().classes("trouble")
        show_state(state, trouble, desk.board)
        box = ui.element("div")
        ui.link("Back to Trends", "/trends")
    zone = await browser_zone()
    try:
        start_ns, end_ns = parse_time(start), parse_time(end)
    except ValueError:
        lead.set_text(WRONG_TIME)
        return
    lead.set_text(f"{group}, begun {minute(start, zone)} to {minute(end, zone)}, newest first")

    async def read() -> list[Conversation]:
        found: list[Conversation] = []
        queue = key if group == "queue" else None
        async with aclosing(desk.client.began(start_ns, end_ns, queue=queue)) as calls:
            async for call in calls:
                if belongs(call, group, key):
                    found.append(call)
                if len(found) >= MOST:
                    break
        return found

    with box:
        section = Section(read, partial(_place, zone=zone), zone)
    await section.load()


def _place(calls: list[Conversation], *, zone: tzinfo) -> None:
    with ui.element("div").classes("card"):
        if not calls:
            ui.label("None: they may be deleted, or began before this time.").classes("lonely")
            return
        grid(
            "Calls",
            ("Conversation", "Began", "Lasted", "Queue", "Language"),
            [
                (
                    partial(ui.link, call.id, f"/conversations/{quote(call.id, safe='')}"),
                    minute(format_time(call.started_ns), zone),
                    "runs"
                    if call.ended_ns is None
                    else words.duration((call.ended_ns - call.started_ns) / SECOND_NS),
                    words.known(call.queue),
                    words.known(call.language),
                )
                for call in calls
            ],
        )
        if len(calls) == MOST:
            ui.label(f"The newest {MOST}.").classes("small")
