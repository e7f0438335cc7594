"""What every page has: its head, the way to the others, who looks, and the connection."""

from datetime import UTC, datetime, tzinfo
from typing import Final, cast
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nicegui import ui

from inference.units import SECOND_NS
from streams.serving.access.caller import Rank
from streams.serving.dashboard.door.guard import Admitted
from streams.serving.dashboard.live.board import Board
from streams.serving.dashboard.shell import desk_words, words
from streams.serving.dashboard.shell.forms import said

TICK_S: Final = 1.0
ZONE_S: Final = 10.0
"""A browser that is busy answers late; one that has gone on to another page never does."""
HEAD: Final = (
    '<script src="/assets/theme.js"></script>'
    '<link rel="stylesheet" href="/assets/pages.css">'
    '<link rel="stylesheet" href="/assets/desk.css">'
)
THEME: Final = (
    '<span class="system">Theme: system</span><span class="light">Theme: light</span>'
    '<span class="dark">Theme: dark</span>'
)
SIGN_OUT: Final = (
    '<form method="post" action="/signout"><input type="hidden" name="token" value="{token}">'
    '<button class="bare" type="submit">{text}</button></form>'
)


def admitted() -> Admitted:
    """Who looks at the page that is being built."""
    request = ui.context.client.request
    return cast("Admitted", request.state.admitted)


def frame(where: str) -> ui.label:
    """Head of every page; the label shows the state of the connection.

    `where` names what is not in the navigation: a conversation.
    """
    who = admitted()
    path = ui.context.client.request.url.path
    ui.add_head_html(HEAD)
    with ui.element("header").classes("bar"):
        ui.link("affectstream", "/").classes("mark quiet")
        if where:
            ui.label(where).classes("where").props("aria-current=page")
        said("button", "Menu").classes("bare burger").props(
            'type=button aria-expanded=false aria-controls="pages" data-menu'
        )
        with ui.element("nav").classes("pages").props('id=pages aria-label="Pages"'):
            places = {name: _place(name, target, path) for name, target, _ in desk_words.PAGES}
        state = ui.label().classes("state").props("role=status")
        with ui.element("div").classes("who"):
            name = said("span", "")
            theme = ui.html(THEME, sanitize=False, tag="button")
            theme.classes("bare theme").props("type=button data-theme-choice")
            if who.session is not None:
                token = who.session.form_token
                ui.html(SIGN_OUT.format(token=token, text=desk_words.SIGN_OUT), sanitize=False)
    shown: list[object] = [None]

    def follow() -> None:
        if who.desk.refused or (who.session is not None and who.session.ended):
            ui.navigate.to(f"/signin?next={quote(path, safe='')}")
            return
        now = (who.desk.me, who.desk.open_alerts and len(who.desk.open_alerts))
        if now == shown[0]:
            return
        shown[0] = now
        me, open_alerts = now
        name.set_text(" · ".join(part for part in (me.name, me.tenant) if part))
        is_admin = me.may(Rank.ADMIN)
        for page, _, admin_only in desk_words.PAGES:
            places[page].set_visibility(is_admin or not admin_only)
        places["Alerts"].set_text(f"Alerts ({open_alerts})" if open_alerts else "Alerts")

    follow()
    ui.timer(TICK_S, follow)
    return state


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
    """The time zone of whoever looks, as the charts use it; UTC of a browser that does not say."""
    await ui.context.client.connected()
    asking = "Intl.DateTimeFormat().resolvedOptions().timeZone"
    try:
        return ZoneInfo(str(await ui.run_javascript(asking, timeout=ZONE_S)))
    except (TimeoutError, ZoneInfoNotFoundError, ValueError):
        return UTC


def _place(name: str, target: str, path: str) -> ui.link:
    link = ui.link(name, target).classes("quiet")
    return link.props("aria-current=page") if path == target else link
