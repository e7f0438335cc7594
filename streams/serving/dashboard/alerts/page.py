"""The page *Alerts*: a queue that follows what happens, and what people do about it."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import tzinfo
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from nicegui import ui

from inference.errors import AffectstreamError
from streams.serving.access.caller import Rank
from streams.serving.dashboard.alerts import client as api
from streams.serving.dashboard.alerts.rows import (
    ANY,
    AlertRow,
    Filter,
    alert_row,
    choices,
    queue,
)
from streams.serving.dashboard.asking import NotOfferedError
from streams.serving.dashboard.desk import Desk
from streams.serving.dashboard.live.raised import Alert
from streams.serving.dashboard.shell import desk_words as words
from streams.serving.dashboard.shell.desk_page import desk_page
from streams.serving.dashboard.shell.forms import Field, action, grid, said
from streams.serving.dashboard.shell.frame import TICK_S, heading
from streams.serving.dashboard.shell.section import Section
from streams.serving.dashboard.trends.rows import minute

SNOOZES: Final = {15: "15 min", 60: "1 h", 240: "4 h"}
OPEN: Final = "open"
STATES: Final = {OPEN: "open", "resolved": "over", ANY: "all"}
AGING_S: Final = 10
"""How often the durations that a page shows grow."""
SHOWN: Final = 100
Change = Callable[[], Awaitable[Any]]


async def alerts_page(desk: Desk) -> None:
    """Open alerts by severity, with evidence and what to do."""
    async with desk_page(desk, "Alerts", words.HEARD) as zone:
        page = AlertsPage(desk, zone)
    await page.load()
    ui.timer(TICK_S, page.show)


class AlertsPage:
    """The queue with its filters."""

    def __init__(self, desk: Desk, zone: tzinfo) -> None:
        self._desk = desk
        self._zone = zone
        self._wanted = Filter()
        self._state = OPEN
        self._others: Sequence[Alert] = ()
        self._cards: dict[str, AlertCard] = {}
        self._shown: Any = None
        self._filled: set[str] | None = None
        self._filters = ui.element("div").classes("filters")
        self._told = ui.label().classes("told").props("role=status")
        self._list = ui.element("div")
        self._empty = ui.html(words.LOADING, sanitize=False).classes("card empty")
        self._keys = ui.label(words.KEYS).classes("caveat")
        self._dead: Section[list[api.Delivery]] | None = None
        if desk.me.may(Rank.SUPERVISOR):
            heading(2, words.DEAD).style("margin: 24px 0 10px")
            self._dead = Section(self._read_dead, self._place_dead, zone)

    async def load(self) -> None:
        """Read both parts."""
        await self.show()
        if self._dead is not None:
            await self._dead.load()

    async def show(self) -> None:
        """Bring the queue up to date; nothing is sent where nothing changed."""
        desk, now_ns = self._desk, time.time_ns()
        if desk.open_alerts is None:
            self._empty.set_content(words.NOT_OFFERED)
            self._empty.set_visibility(True)
            return
        now = (
            desk.board.alerts_version, desk.me, self._state, self._wanted,
            now_ns // (AGING_S * 10**9),
        )  # fmt: skip
        if now == self._shown or not desk.board.loaded:
            return
        if self._shown is None or now[:3] != self._shown[:3]:
            await self._load_others()
        self._shown = now
        opened = desk.open_alerts if self._state != "resolved" else ()
        # one that ended between two readings is in both: the later one stands
        known = list({one.id: one for one in (*opened, *self._others)}.values())
        self._fill_filters(known)
        found = queue(known, self._wanted, now_ns)
        rest = f"The first {SHOWN} of {len(found)}. " if len(found) > SHOWN else ""
        self._keys.set_text(rest + words.KEYS)
        self._place(found[:SHOWN], now_ns)

    def _place(self, alerts: Sequence[Alert], now_ns: int) -> None:
        wanted = {alert.id for alert in alerts}
        for key in [key for key in self._cards if key not in wanted]:
            self._cards.pop(key).remove()
        for place, alert in enumerate(alerts):
            card = self._cards.get(alert.id)
            if card is None:
                with self._list:
                    card = self._cards[alert.id] = AlertCard(self, alert)
            card.show(alert_row(alert, self._desk.summaries, now_ns, self._zone), place)
        self._empty.set_visibility(not alerts)
        is_filtered = self._wanted != Filter() or self._state != OPEN
        self._empty.set_content(words.NO_MATCH if is_filtered else words.NO_ALERTS)
        self._keys.set_visibility(bool(alerts))

    async def _load_others(self) -> None:
        """Alerts that are over, where they are asked for."""
        if self._state == OPEN:
            self._others = ()
            return
        try:
            found = await api.alerts(self._desk.asking, state="resolved", most=SHOWN)
        except AffectstreamError as exc:
            self.tell(str(exc), wrong=True)
            return
        if self._state != OPEN:  # else they are asked for no more
            self._others = found

    def _fill_filters(self, known: Sequence[Alert]) -> None:
        queues, rules = choices(known)
        if self._filled is not None and {*queues, *rules} <= self._filled:
            return  # a choice that somebody made must not vanish under them
        self._filled = {*queues, *rules}
        self._filters.clear()
        with self._filters:
            self._choice("State", "state", STATES)
            self._choice("Severity", "severity", {ANY: "any"} | words.SEVERITY)
            self._choice("Queue", "queue", {ANY: "any"} | {one: one for one in queues})
            self._choice("Rule", "rule", {ANY: "any"} | {one: one for one in rules})

    def _choice(self, label: str, name: str, options: dict[str, str]) -> None:
        value = self._state if name == "state" else getattr(self._wanted, name)

        async def chosen() -> None:
            if name == "state":
                self._state = field.value
            else:
                self._wanted = replace(self._wanted, **{name: field.value})
            await self.show()

        field = Field(label, value, options=options, on_change=chosen)

    async def change(self, what: str, change: Change) -> None:
        """Do something to an alert, and say what became of it."""
        try:
            changed = await change()
        except NotOfferedError:
            self.tell("This alert is no longer known, or the API does not offer this.", wrong=True)
        except AffectstreamError as exc:
            self.tell(f"Not done: {exc}", wrong=True)
        else:
            self.tell(what)
            if isinstance(changed, Alert):
                self._desk.board.take_alert(changed)
            await self.show()

    def tell(self, text: str, *, wrong: bool = False) -> None:
        """Say something to whoever looks, or listens."""
        self._told.set_text(text)
        self._told.classes(add="wrong") if wrong else self._told.classes(remove="wrong")

    @property
    def desk(self) -> Desk:
        """Whose alerts these are."""
        return self._desk

    async def _read_dead(self) -> list[api.Delivery]:
        return await api.dead_deliveries(self._desk.asking)

    def _place_dead(self, dead: list[api.Delivery]) -> None:
        if not dead:
            ui.label("None: every message found its target.").classes("lonely")
            return

        async def again(one: api.Delivery) -> None:
            await self.change("Tried again.", partial(api.retry, self._desk.asking, one))
            if self._dead is not None:
                await self._dead.load()

        with ui.element("div").classes("card"):
            grid(
                words.DEAD,
                ("Target", "Call", "Of", "Attempts", "What went wrong", ""),
                [
                    (
                        one.sink,
                        partial(_call, one.conversation) if one.conversation else "",
                        minute(one.at, self._zone) if one.at else "",
                        one.attempts,
                        one.error or "unknown",
                        partial(action, "Retry", partial(again, one)),
                    )
                    for one in dead
                ],
            )


def _call(conversation: str) -> None:
    ui.link(conversation, f"/conversations/{quote(conversation, safe='')}")


class AlertCard:
    """One alert; its fields keep what was typed while the rest follows."""

    def __init__(self, page: AlertsPage, alert: Alert) -> None:
        self._page = page
        self._alert = alert.id
        self._row: AlertRow | None = None
        self._acknowledge: ui.element | None = None
        self._wake: ui.element | None = None
        self._verdicts: dict[str, ui.element] = {}
        self._box = ui.element("article")
        self._box.props(f'tabindex=0 data-alert="{alert.id}"')
        with self._box:
            with ui.element("div").classes("alert-top"):
                self._badge = said("span", "").classes("badge")
                self._title = heading(2, "")
                self._state = said("span", "").classes("small")
            with ui.element("div"):
                self._open = ui.link("", "").classes("id").props('data-key="o"')
                self._who = said("span", "")
                self._where = said("span", "").classes("small")
            self._facts = ui.label().classes("small")
            self._story = ui.label().classes("story")
            self._told_by = ui.label().classes("small")
            self._marks = ui.element("ul").classes("deeds")
            self._more = ui.element("details")
            if page.desk.me.may(Rank.SUPERVISOR):
                with ui.element("div").classes("alert-do"):
                    self._place_actions()

    def remove(self) -> None:
        """Take it off the page."""
        self._box.delete()

    def show(self, row: AlertRow, place: int) -> None:
        """Bring the card up to date and to its place."""
        siblings = self._box.parent_slot.children if self._box.parent_slot else []
        if siblings.index(self._box) != place:
            self._box.move(target_index=place)
        if row == self._row:
            return
        before, self._row = self._row, row
        kinds = [row.severity, "" if row.is_open else "over", "snoozed" if row.is_snoozed else ""]
        self._box.classes(replace=" ".join(filter(None, ["card", "alert-card", *kinds])))
        self._box.props["aria-label"] = f"{row.severity_said}: {row.title}, {row.who}"
        self._box.update()
        self._badge.classes(replace=f"badge {row.severity}")
        self._badge.set_text(row.severity_said)
        self._title.set_text(row.title)
        self._state.set_text(row.state)
        link = self._open.props
        link["href"] = row.link
        self._open.set_text(row.link.split("/")[2].split("?")[0])
        self._open.update()
        self._who.set_text(f" · {row.who}")
        self._where.set_text(f" · {row.where}" if row.where else "")
        self._facts.set_text(f"{row.when} · {row.peak}")
        for label, text in ((self._story, row.story), (self._told_by, row.told_by)):
            label.set_text(text)
            label.set_visibility(bool(text))
        self._marks.clear()
        self._marks.set_visibility(bool(row.marks))
        with self._marks:
            for mark in row.marks:
                said("li", mark)
        if before is None or before.evidence != row.evidence:
            self._place_evidence(row)
        self._show_actions(row)

    def _place_evidence(self, row: AlertRow) -> None:
        self._more.clear()
        self._more.set_visibility(bool(row.evidence))
        with self._more:
            said("summary", f"What it rests on: {words.counted(len(row.evidence), 'window')}")
            grid(
                "Evidence",
                ("Window", "Value", "Cues"),
                [(partial(ui.link, one.at, one.link), one.value, one.cues) for one in row.evidence],
            )

    def _place_actions(self) -> None:
        asking, change = self._page.desk.asking, self._page.change

        def act(what: str, call: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
            return partial(change, what, partial(call, asking, self._alert, *arguments))

        with ui.element("div").classes("acts"):
            self._acknowledge = action(
                "Acknowledge", act("Acknowledged.", api.acknowledge), kind="main", data_key="a"
            )
            for minutes, text in SNOOZES.items():
                key = {"data_key": "s"} if minutes == min(SNOOZES) else {}
                what = f"Snoozed for {text}."
                action(f"Snooze {text}", act(what, api.snooze, minutes), **key)
            self._wake = action("End snooze", act("Snooze ended.", api.snooze, 0))
        with ui.element("div").classes("judge"):
            note = Field("Note on the verdict", maxlength="500")
            with ui.element("div").props(f'role=group aria-label="{words.VERDICT_ASKED}"'):
                ui.label(words.VERDICT_ASKED).classes("small")
                with ui.element("div").classes("acts").style("margin-top: 3px"):
                    self._verdicts = {
                        verdict: action(text, partial(self._judge, verdict, note))
                        for verdict, text in words.VERDICT.items()
                    }

    async def _judge(self, verdict: str, note: Field) -> None:
        judge = partial(api.judge, self._page.desk.asking, self._alert, verdict, note.value)
        await self._page.change(f"Judged {verdict}.", judge)
        note.set("")

    def _show_actions(self, row: AlertRow) -> None:
        if self._acknowledge is not None:
            self._acknowledge.set_visibility(row.is_open and not row.is_acknowledged)
        if self._wake is not None:
            self._wake.set_visibility(row.is_snoozed)
        for verdict, button in self._verdicts.items():
            button.props["aria-pressed"] = "true" if verdict == row.verdict else "false"
            button.update()
