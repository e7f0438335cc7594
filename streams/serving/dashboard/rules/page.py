"""The page *Rules*: what raises alerts, an editor, and a back-test before anything is saved."""

import time
from collections.abc import Sequence
from datetime import tzinfo
from functools import partial
from typing import Any, Final

from nicegui import ui

from inference.contract import format_time
from inference.errors import AffectstreamError
from inference.units import SECOND_NS
from streams.serving.access.caller import Rank
from streams.serving.dashboard.alerts.rows import moment_link
from streams.serving.dashboard.asking import NotOfferedError, RefusedError
from streams.serving.dashboard.desk import Desk
from streams.serving.dashboard.rules import client as api
from streams.serving.dashboard.rules.rows import (
    LISTS,
    METRICS,
    NEW,
    NUMBERS,
    field_of,
    in_short,
    rate,
    rule_state,
    threshold_chart,
    to_fields,
    to_spec,
    told,
)
from streams.serving.dashboard.shell import desk_words as words
from streams.serving.dashboard.shell.desk_page import desk_page
from streams.serving.dashboard.shell.forms import Field, action, grid, said
from streams.serving.dashboard.shell.frame import heading
from streams.serving.dashboard.shell.section import Section
from streams.serving.dashboard.trends.rows import minute

RANGES: Final = {"1": "last 24 hours", "7": "last 7 days", "30": "last 30 days"}
DAY_S: Final = 86_400
EPISODES: Final = 50
"""Alerts of a back-test that are listed."""


async def rules_page(desk: Desk) -> None:
    """Every rule, and one of them in the editor."""
    async with desk_page(desk, "Rules", words.HEARD) as zone:
        page = RulesPage(desk, zone)
    await page.rules.load()


class RulesPage:
    """The list and the editor."""

    def __init__(self, desk: Desk, zone: tzinfo) -> None:
        self._desk = desk
        self._zone = zone
        self._may = desk.me.may(Rank.SUPERVISOR)
        self._told = ui.label().classes("told").props("role=status")
        self.rules = Section(self._read, self._place, zone)
        if self._may:
            with ui.element("div").classes("acts"):
                action("New rule", partial(self._edit, None))
        self._editor = ui.element("div").style("margin-top: 20px")

    async def _read(self) -> list[api.Rule]:
        return await api.rules(self._desk.asking)

    def _place(self, rules: list[api.Rule]) -> None:
        if not rules:
            ui.label(words.NOTHING_YET).classes("lonely")
            return
        with ui.element("div").classes("card"):
            grid(
                "Rules",
                ("Rule", "Waits for", "Severity", "State", ""),
                [self._row(one) for one in rules],
            )

    def _row(self, one: api.Rule) -> Sequence[Any]:
        spec = one.spec or {}

        def name() -> None:
            ui.label(one.name).classes("id")
            ui.label(str(spec.get("summary") or "")).classes("small")

        def acts() -> None:
            if self._may:
                what = f'aria-label="Edit {one.name}"'
                action("Edit", partial(self._edit, one)).props(what)

        state = rule_state(one)
        badge = "off" if one.spec is None else "info"
        return (
            name,
            in_short(spec) if spec else "",
            words.SEVERITY.get(str(spec.get("severity")), ""),
            lambda: said("span", state).classes(f"badge {badge}"),
            acts,
        )

    async def _edit(self, rule: api.Rule | None) -> None:
        self._editor.clear()
        with self._editor:
            editor = Editor(self._desk, self._zone, rule, self.done)
        await editor.focus()

    async def done(self, what: str) -> None:
        """Something was saved: close the editor, show the list anew."""
        self._editor.clear()
        await self.rules.load()  # first: what is said must be true of what is shown
        self._told.set_text(what)
        await self._desk.refresh()


class Editor:
    """One rule as a form."""

    def __init__(self, desk: Desk, zone: tzinfo, rule: api.Rule | None, done: Any) -> None:
        self._desk = desk
        self._zone = zone
        self._rule = rule
        self._done = done
        self._before = dict(NEW) if rule is None or rule.spec is None else dict(rule.spec)
        fields = to_fields(self._before)
        with ui.element("section").classes("card"):
            self._title = heading(2, "New rule" if rule is None else f"Rule {rule.name}")
            self._title.props("tabindex=-1")
            self._told = ui.label().classes("told").props("role=alert")
            with ui.element("div").classes("form"):
                self._name = (
                    Field("Name", hint="small letters and dashes", maxlength="64")
                    if rule is None
                    else None
                )
                self._fields = {
                    "metric": Field("Estimate", fields["metric"], options=METRICS),
                    "direction": Field(
                        "Raised",
                        fields["direction"],
                        options={"above": "above the value", "below": "below the value"},
                    ),
                }
                for name, (label, hint) in NUMBERS.items():
                    self._fields[name] = Field(label, fields[name], hint=hint, inputmode="decimal")
                self._fields["severity"] = Field(
                    "Severity", fields["severity"], options=words.SEVERITY
                )
                for name, label in LISTS.items():
                    self._fields[name] = Field(
                        label, fields[name], hint="with commas; empty means all"
                    )
                self._fields["notify"] = Field(
                    "Tell", fields["notify"], hint="webhook:name, alertmanager"
                )
                with ui.element("div").classes("wide"):
                    self._fields["summary"] = Field(
                        "One sentence for a supervisor", fields["summary"], maxlength="300"
                    )
            with ui.element("div").classes("acts"):
                action("Save", self._save, kind="main")
                if rule is not None and rule.spec is not None:
                    self._off = action("Switch off", self._ask_off, kind="danger")
                action("Close", partial(done, ""))
            heading(3, "Back-test over stored scores").style("margin-top: 18px")
            with ui.element("div").classes("filters"):
                self._range = Field("Over", "7", options=RANGES)
                self._queue = Field("Queue", hint="")
                self._wanted = Field("Wanted alerts an hour", inputmode="decimal")
                action("Run back-test", self._backtest)
            self._result = ui.element("div").props("aria-live=polite")

    async def focus(self) -> None:
        """Bring whoever looks to the form."""
        ui.run_javascript(f"getHtmlElement({self._title.id})?.focus()")

    def _spec(self) -> api.Spec | None:
        """The rule as it stands in the fields; None, and said, where that is none."""
        fields = {name: field.value for name, field in self._fields.items()}
        spec, wrong = to_spec(fields, self._before)
        self._mark(wrong)
        return None if wrong else spec

    def _mark(self, wrong: dict[str, str], rest: str = "") -> None:
        for name, field in self._fields.items():
            field.wrong(wrong.get(name, ""))
        self._told.set_text(rest or ("Some fields need another value." if wrong else ""))
        self._told.classes(add="wrong")

    def _refused(self, exc: AffectstreamError) -> None:
        if not isinstance(exc, RefusedError):
            offered = words.NOT_OFFERED if isinstance(exc, NotOfferedError) else ""
            self._mark({}, "The API does not offer this." if offered else str(exc))
            return
        wrong: dict[str, str] = {}
        rest = []
        for error in exc.errors:
            field = field_of(error.field)
            if field in self._fields:
                wrong[field] = error.message
            else:
                rest.append(f"{error.field}: {error.message}")
        self._mark(wrong, "; ".join(rest) or ("" if wrong else str(exc)))

    async def _save(self) -> None:
        spec = self._spec()
        name = self._rule.name if self._rule else self._name.value.strip() if self._name else ""
        if self._name is not None:
            self._name.wrong("" if name else "a name is needed")
        if spec is None or not name:
            return
        try:
            version = None if self._rule is None else self._rule.version
            stored = await api.put_rule(self._desk.asking, name, spec, version)
        except AffectstreamError as exc:
            self._refused(exc)
        else:
            when = "" if stored.valid_from is None else f" for windows from {stored.valid_from}"
            await self._done(f"{name} saved as version {stored.version}{when}.")

    async def _ask_off(self) -> None:
        """The first click asks, the second does it."""
        if self._rule is None:
            return
        if self._off.text != "Really switch off?":
            self._off.set_text("Really switch off?")
            return
        try:
            await api.switch_off(self._desk.asking, self._rule.name)
        except AffectstreamError as exc:
            self._refused(exc)
        else:
            await self._done(f"{self._rule.name} is off.")

    async def _backtest(self) -> None:
        spec = self._spec()
        if spec is None:
            return
        typed = self._wanted.value.strip().replace(",", ".")
        try:
            wanted = float(typed) if typed else None
        except ValueError:
            self._wanted.wrong("a number is needed")
            return
        self._wanted.wrong("")
        end_ns = time.time_ns() // SECOND_NS * SECOND_NS
        start_ns = end_ns - int(self._range.value) * DAY_S * SECOND_NS
        self._result.clear()
        with self._result:
            running = ui.label("Running over stored scores …").classes("small")
        found: api.Backtest | AffectstreamError
        try:
            found = await api.backtest(
                self._desk.asking,
                spec,
                format_time(start_ns),
                format_time(end_ns),
                queue=self._queue.value.strip(),
                wanted=wanted,
            )
        except AffectstreamError as exc:
            found = exc
        if running.is_deleted:  # another was begun meanwhile, or the editor was closed
            return
        self._result.clear()
        if isinstance(found, AffectstreamError):
            self._refused(found)
        else:
            self._place(found, spec)

    def _place(self, found: api.Backtest, spec: api.Spec) -> None:
        with self._result:
            with ui.element("dl").classes("facts"):
                for name, value in told(found):
                    said("dt", name)
                    said("dd", value)
            if found.suggested is not None:
                action("Take the suggestion", partial(self._take, found.suggested))
            if found.thresholds:
                heading(3, "Alerts an hour at other thresholds").style("margin-top: 14px")
                chart = ui.echart(threshold_chart(found.thresholds, spec.get("enter")))
                chart.classes("plot tinted").props(
                    'role=img aria-label="Alerts an hour and flaps over the threshold that '
                    'raises them; the table below says the same"'
                )
                with ui.element("details"):
                    said("summary", "As a table")
                    grid(
                        "Thresholds",
                        ("Raised at", "Ends at", "Alerts an hour", "Flaps"),
                        [
                            (
                                f"{one.enter:.2f}",
                                "" if one.exit is None else f"{one.exit:.2f}",
                                rate(one.alerts_per_hour),
                                one.flaps,
                            )
                            for one in found.thresholds
                        ],
                    )
                ui.timer(0.2, lambda: ui.run_javascript("tintCharts()"), once=True)
            heading(3, "Alerts that it would have raised").style("margin-top: 14px")
            if not found.episodes:
                ui.label("None in this time.").classes("lonely")
                return
            grid(
                "Episodes",
                ("Conversation", "Participant", "Fired", "Highest"),
                [self._episode(one) for one in found.episodes[:EPISODES]],
            )
            if len(found.episodes) > EPISODES:
                ui.label(f"The first {EPISODES} of {len(found.episodes)}.").classes("small")

    def _episode(self, one: api.Episode) -> Sequence[Any]:
        link = moment_link(one.conversation, one.since or one.fired)
        peak = "" if one.peak is None else f"{one.peak:.2f}"
        fired = minute(one.fired, self._zone)
        return (partial(ui.link, one.conversation, link), one.participant, fired, peak)

    def _take(self, one: api.Threshold) -> None:
        self._fields["enter"].set(f"{one.enter:g}")
        if one.exit is not None:
            self._fields["exit"].set(f"{one.exit:g}")
