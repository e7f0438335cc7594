"""A page of the desk: what it is about, and whether the API can be read, above its content."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import tzinfo

from nicegui import ui

from streams.serving.dashboard.desk import Desk
from streams.serving.dashboard.shell.frame import (
    TICK_S,
    browser_zone,
    frame,
    heading,
    show_state,
    skip_link,
)


@asynccontextmanager
async def desk_page(desk: Desk, title: str, lead: str, caveat: str = "") -> AsyncIterator[tzinfo]:
    """What is built inside is the content of the page; gives the time zone of whoever looks.

    Args:
        desk: whose page; it knows who looks once the content is built, or that the API is away.
        title: of the page.
        lead: what it is about, under the title.
        caveat: what to bear in mind, at the end.
    """
    skip_link("#main")
    state = frame("")
    with ui.element("main").classes("page").props("id=main tabindex=-1"):
        heading(1, title)
        ui.label(lead).classes("lead")
        trouble = ui.label().classes("trouble")
        show_state(state, trouble, desk.board)
        content = ui.element("div")
        if caveat:
            ui.label(caveat).classes("caveat")
    zone = await browser_zone()
    await desk.known()
    with content:
        yield zone
    ui.timer(TICK_S, lambda: show_state(state, trouble, desk.board, zone))
