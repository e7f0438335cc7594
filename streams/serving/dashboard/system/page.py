"""The page *System*: whether scores can be relied on right now."""

from datetime import tzinfo
from functools import partial
from typing import Final
from urllib.parse import quote

from nicegui import ui

from streams.serving.dashboard.desk import Desk
from streams.serving.dashboard.shell.desk_page import desk_page
from streams.serving.dashboard.shell.forms import grid
from streams.serving.dashboard.shell.frame import heading
from streams.serving.dashboard.shell.section import Section
from streams.serving.dashboard.system import client as api
from streams.serving.dashboard.system.rows import age, queue_said, shares, tiles
from streams.serving.dashboard.trends.rows import minute

REFRESH_S: Final = 5.0


async def system_page(desk: Desk) -> None:
    """The last 15 minutes."""
    async with desk_page(desk, "System", "The last 15 minutes of this tenant.") as zone:
        section = Section(partial(api.system, desk.asking), partial(_place, zone=zone), zone)
    await section.load()
    ui.timer(REFRESH_S, section.load, immediate=False)


def _place(now: api.System, *, zone: tzinfo) -> None:
    with ui.element("div").classes("tiles"):
        for tile in tiles(now):
            with ui.element("div").classes("tile bad" if tile.is_bad else "tile"):
                ui.label(tile.name).classes("small")
                ui.label(tile.figure).classes("figure")
                ui.label(tile.note).classes("small")
    heading(2, "Modalities that were there").style("margin: 20px 0 10px")
    with ui.element("div").classes("card"):
        for one in shares(now):
            with ui.element("div").classes("share-row"):
                ui.label(one.name)
                with ui.element("div").classes("track"):
                    ui.element("div").classes("fill").style(f"width: {one.level}%")
                ui.label(one.figure)
        if not now.modalities:
            ui.label("No window in 15 minutes.").classes("lonely")
    if now.stale:
        heading(2, "Stale calls").style("margin: 20px 0 10px")
        with ui.element("div").classes("card"):
            grid(
                "Stale calls",
                ("Conversation", "Participant", "Scored until"),
                [
                    (
                        partial(
                            ui.link,
                            one.conversation,
                            f"/conversations/{quote(one.conversation, safe='')}",
                        ),
                        one.participant,
                        "never" if one.closed_until is None else minute(one.closed_until, zone),
                    )
                    for one in now.stale
                ],
            )
    heading(2, "Messages to others").style("margin: 20px 0 10px")
    with ui.element("div").classes("card"):
        grid(
            "Messages",
            ("Target", "How it stands", "Waiting", "Oldest", "Given up"),
            [
                (name, queue_said(one), one.waiting, age(one.oldest_s), one.dead)
                for name, one in now.outbox.items()
            ],
        )
    heading(2, "What made the scores").style("margin: 20px 0 10px")
    with ui.element("div").classes("card"):
        grid(
            "Versions",
            ("Models", "Calibration", "Fusion", "Beside them", "Settings", "Windows"),
            [
                (
                    one.scorer,
                    one.calibration,
                    one.fusion,
                    ", ".join(one.methods.values()) or "nothing",
                    one.config,
                    one.windows,
                )
                for one in now.versions
            ],
        )
        ui.label(f"Schema of the database: {now.schema or 'unknown'}").classes("small")
