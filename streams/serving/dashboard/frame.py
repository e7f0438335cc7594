"""What every page has: its head, the state of the connection, and the time of whoever looks."""

from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nicegui import ui

from streams.serving.dashboard import words
from streams.serving.dashboard.board import Board

TICK_S: Final = 1.0
MS_NS: Final = 1_000_000
SECOND_NS: Final = 1_000_000_000
HEAD: Final = '<link rel="stylesheet" href="/assets/pages.css">'


def frame(where: str) -> ui.label:
    """Head of every page; the label shows the state of the connection."""
    ui.add_head_html(HEAD)
    with ui.element("header").classes("bar"):
        ui.link("affectstream", "/").classes("mark quiet")
        ui.link(words.LIVE, "/").classes("where quiet")
        if where:
            ui.label(where).classes("where").props("aria-current=page")
        return ui.label().classes("state")


def skip_link(target: str) -> None:
    """The first stop of the Tab key: past the head to the element `target`, such as `#live`."""
    ui.html(f'<a class="skip" href="{target}">{words.SKIP}</a>', sanitize=False)


def show_state(
    state: ui.label, trouble: ui.label | None, board: Board, zone: tzinfo | None = None
) -> None:
    """Say whether the API can be read, and since when it cannot, by the clock of `zone`."""
    state.set_text(words.CONNECTED if board.trouble is None else words.AWAY)
    state.classes(remove="away") if board.trouble is None else state.classes(add="away")
    if trouble is None:  # the page says it in its own way
        return
    said = board.trouble or ""
    since = ""
    if board.away_ns is not None:
        at = clock(board.away_ns, zone or UTC)
        since = f" since {at}{'' if zone else ' UTC'}"
    trouble.set_text(f"{said[:1].upper()}{said[1:]}{since}. {words.WAITS}")
    trouble.set_visibility(board.trouble is not None)


def heading(level: int, text: str) -> ui.label:
    """A heading that screen readers find."""
    return ui.label(text).classes(f"h{level}").props(f"role=heading aria-level={level}")


def clock(at_ns: int, zone: tzinfo) -> str:
    """The time of day of `at_ns` where somebody looks."""
    return datetime.fromtimestamp(at_ns // SECOND_NS, zone).strftime("%H:%M:%S")


async def browser_zone() -> tzinfo:
    """The time zone of whoever looks, as the charts use it."""
    await ui.context.client.connected()
    name = await ui.run_javascript("Intl.DateTimeFormat().resolvedOptions().timeZone")
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
