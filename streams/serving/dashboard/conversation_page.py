"""The page *Conversation*: it places what `rows` and `timeline` decided, and nothing else."""

import contextlib
import json
import time
from collections.abc import Sequence
from datetime import tzinfo
from html import escape
from typing import Any, Final
from urllib.parse import quote

from nicegui import events, ui

from inference.contract import parse_time
from inference.score import WindowScore
from streams.serving.dashboard import words
from streams.serving.dashboard.board import Board, Timeline
from streams.serving.dashboard.client import (
    ApiClient,
    ApiUnavailableError,
    UnknownConversationError,
)
from streams.serving.dashboard.frame import (
    TICK_S,
    browser_zone,
    clock,
    frame,
    heading,
    show_state,
    skip_link,
)
from streams.serving.dashboard.raised import Alert, worst_first
from streams.serving.dashboard.rows import (
    Carrier,
    Conversation,
    ParticipantRow,
    carriers,
    participant_row,
    parties,
)

HEAD: Final = (
    '<link rel="stylesheet" href="/assets/conversation.css">'
    '<script src="/assets/charts.js"></script>'
)
EVIDENCE: Final = f"""
<details class="all-cues" hidden><summary>{words.ALL_EVIDENCE} (<span></span>)</summary>
<ol></ol></details>
"""


async def conversation_page(
    board: Board, client: ApiClient, conversation: str, at: str = ""
) -> None:
    """How one conversation went, and what each score rests on.

    Args:
        board: whose conversation it is.
        client: reads single scores and decisions.
        conversation: its id.
        at: RFC 3339 in UTC: show what was read then, instead of the newest; not a time is nothing.
    """
    skip_link("#conversation")
    state = frame(words.CONVERSATION)
    ui.add_head_html(HEAD)
    with ui.element("div").classes("page").props("id=conversation tabindex=-1"):
        try:
            timeline = await board.timeline(conversation)
        except UnknownConversationError:
            ui.html(words.UNKNOWN_CALL, sanitize=False).classes("card empty")
            return
        except ApiUnavailableError as exc:
            ui.label(f"{exc}. Load the page again in a moment.").classes("trouble")
            return
        head = Head(conversation)
        trouble = ui.label().classes("trouble")
        cards = ui.element("div")
        await _decisions(client, conversation)
        ui.label(words.CAVEAT).classes("caveat")
    zone = await browser_zone()
    course = Course(client, cards, zone, parsed(at))
    ui.on("pick-second", course.pick)
    shown: list[Any] = [None]

    async def show() -> None:
        with contextlib.suppress(ApiUnavailableError, UnknownConversationError):
            timeline = await board.timeline(conversation)
            now = (id(timeline), timeline.version, board.trouble)
            if now != shown[0]:
                shown[0] = now
                head.show(timeline, zone)
                await course.show(timeline)
        show_state(state, trouble, board, zone)

    head.show(timeline, zone)
    await show()
    ui.timer(TICK_S, show)


class Course:
    """The cards of everybody in it, and the one second that all of them explain."""

    def __init__(
        self, client: ApiClient, place: ui.element, zone: tzinfo, chosen_ns: int | None
    ) -> None:
        self._client = client
        self._place = place
        self._zone = zone
        self._chosen_ns = chosen_ns
        self._cards: dict[str, ParticipantCard] = {}

    async def show(self, timeline: Timeline) -> None:
        """Bring every card up to date; a participant may be new."""
        for standing in timeline.participants():
            name = standing.participant
            if name not in self._cards:
                with self._place:
                    card = ParticipantCard(self._client, timeline.call.id, name, self._zone)
                self._cards[name] = card
                await card.choose(self._chosen_ns)
            self._cards[name].show(timeline)

    async def pick(self, event: events.GenericEventArguments) -> None:
        """The browser chose a second, or the newest again."""
        self._chosen_ns = parsed(str(event.args or ""))
        for card in self._cards.values():
            await card.choose(self._chosen_ns)


def parsed(at: str) -> int | None:
    """Nanoseconds of an RFC 3339 time in UTC; None for anything else."""
    try:
        return parse_time(at) if at else None
    except ValueError:
        return None


class Head:
    """What a conversation is: queue and parties, its times, where to take it, its alerts."""

    def __init__(self, conversation: str) -> None:
        self._link = f"/conversations/{quote(conversation)}"
        self._title = heading(1, "")
        self._facts = ui.label().classes("lead")
        name = escape(conversation)
        with ui.element("div").classes("under"):
            ui.html(
                f'<span class="small">id <code>{name}</code></span> <button type="button" '
                f'class="plain" data-copy="{name}" data-copied="{words.COPIED}">{words.COPY}'
                "</button>",
                sanitize=False,
            )
            with ui.element("div").classes("exports small"):
                ui.label(words.EXPORT)
                for form, said in words.EXPORTS:
                    ui.link(said, f"/export/{quote(conversation)}/{form}").props("download")
        self._alerts = ui.element("ul").classes("alerts").props(f'aria-label="{words.ALERTS}"')
        self._told: list[Any] = []

    def show(self, timeline: Timeline, zone: tzinfo) -> None:
        """Bring it up to date."""
        call = timeline.call
        self._title.set_text(words.headline(call.queue, parties(call)))
        self._facts.set_text(_facts(call, zone))
        alerts = worst_first(timeline.alerts.values())
        if alerts == self._told:
            return
        self._told = alerts
        self._alerts.clear()
        with self._alerts:
            for alert in alerts:
                self._place(alert, call, zone)

    def _place(self, alert: Alert, call: Conversation, zone: tzinfo) -> None:
        standing = call.standings.get(alert.participant)
        who = (
            alert.participant
            if standing is None
            else words.full_name(standing.role, standing.participant)
        )
        ended_ns = alert.resolved_ns
        until = words.STILL_OPEN if ended_ns is None else f"to {clock(ended_ns, zone)}"
        with ui.element("li").classes(alert.severity if alert.open else "over"):
            ui.link(f"{words.alert(alert.rule)}, {who}", f"{self._link}?at={quote(alert.fired)}")
            title = words.alert_title(alert, waits=alert.open)
            ui.label(f"{clock(alert.fired_ns, zone)} {until} · {title}").classes("small")


async def _decisions(client: ApiClient, conversation: str) -> None:
    """What the policy let through, where the API tells."""
    found = []
    with contextlib.suppress(ApiUnavailableError):
        found = await client.decisions(conversation)
    if not found:
        return
    with ui.element("section").classes("card"):
        heading(2, words.DECISIONS)
        with ui.element("ul").classes("decisions"):
            for one in found:
                with ui.element("li"):
                    verdict = words.ALLOWED if one.allowed else words.DROPPED
                    ui.label(f"{one.participant}, {one.modality}: {verdict}")
                    profile = f" (profile {one.profile})" if one.profile else ""
                    ui.label(f"{one.reason}{profile}, {one.at}").classes("small")


class ParticipantCard:
    """One participant: the chart, and what one score of it rests on: the newest, or one picked."""

    def __init__(
        self, client: ApiClient, conversation: str, participant: str, zone: tzinfo
    ) -> None:
        self._client = client
        self._conversation = conversation
        self._participant = participant
        self._zone = zone
        self._newest: WindowScore | None = None
        self._picked: WindowScore | None = None
        self._said: WindowScore | None = None
        with ui.element("section").classes("card"):
            with ui.element("div").classes("head"):
                self._title = heading(2, participant)
                self._meter = ui.html(sanitize=False)
                self._feeling = ui.label().classes("says")
                self._remarks = ui.label().classes("small")
            self._course = ui.element("div")
            with self._course:
                self._chart = ui.echart({}).classes("chart")
                with ui.element("div").classes("key small"):
                    ui.label(words.UNSURE_BAND).classes("unsure")
                    ui.label(words.NOTHING_BAND).classes("nothing")
                    ui.label(words.PROVISIONAL_KEY).classes("early")
            self._beneath = ui.element("div").classes("beneath")
            ui.html(EVIDENCE, sanitize=False)

    def show(self, timeline: Timeline) -> None:
        """Bring the card up to date."""
        standing = timeline.call.standings[self._participant]
        row = participant_row(self._conversation, standing, time.time_ns())
        self._title.set_text(row.name)
        self._meter.set_content(_meter(row))
        self._course.set_visibility(standing.latest is not None)
        self._feeling.set_text(row.feeling)
        self._feeling.classes(replace=f"says {row.state}")
        said = (row.detail, row.rise, *row.remarks)
        self._remarks.set_text(" · ".join(part for part in said if part))
        url = f"/points/{quote(self._conversation)}/{quote(self._participant)}"
        ui.run_javascript(f"drawChart({self._chart.id}, {json.dumps(url)})")
        self._newest = standing.latest
        self._explain()

    async def choose(self, at_ns: int | None) -> None:
        """Explain the window that ended last at `at_ns`, or the newest one for None."""
        self._picked = None
        if at_ns is not None:
            with contextlib.suppress(ApiUnavailableError, UnknownConversationError):
                self._picked = await self._client.score_at(
                    self._conversation, self._participant, at_ns
                )
        self._explain()

    def _explain(self) -> None:
        score = self._picked or self._newest
        if score is self._said:
            return
        self._said = score
        self._beneath.clear()
        if score is not None:
            with self._beneath:
                self._place(score)

    def _place(self, score: WindowScore) -> None:
        begin, end = (clock(at_ns, self._zone) for at_ns in (score.start_ns, score.end_ns))
        with ui.element("div"):
            heading(3, words.WINDOW.format(begin=begin, end=end))
            _facts_list(words.window_facts(score))
            if self._picked is None:
                ui.label(words.PICK_A_POINT).classes("small")
            else:
                ui.html(
                    f'<button type="button" class="plain" data-follow>{words.FOLLOW}</button>',
                    sanitize=False,
                )
        with ui.element("div"):
            heading(3, words.RESTS_ON)
            with ui.element("div").classes("weights"):
                for one in carriers(score):
                    _weight(one)
        with ui.element("div"):
            heading(3, words.CUES)
            if not score.evidence:
                ui.label(words.NO_CUES).classes("small")
            with ui.element("ul").classes("cues"):
                for cue in score.evidence:
                    at = "" if cue.at_ns is None else f" ({clock(cue.at_ns, self._zone)})"
                    with ui.element("li"):
                        ui.label(f"{words.MODALITY[cue.modality]}: {cue.cue}{at}")


def _meter(row: ParticipantRow) -> str:
    """The number and its bar: nothing in here comes from outside."""
    held = " held" if row.held else ""
    return (
        f'<div class="meter{held}"><span class="number">{row.distress}</span><div class="track">'
        f'<div class="fill tone{row.tone}" style="width:{row.level}%"></div></div></div>'
    )


def _weight(one: Carrier) -> None:
    ui.label(one.name)
    if not one.present:
        ui.label(one.text).classes("small")
        return
    with ui.element("div").classes("share"):
        with ui.element("div").classes("track"):
            ui.element("div").classes("fill").style(f"width: {one.share}%")
        ui.label(one.text)


def _facts_list(facts: Sequence[tuple[str, str]]) -> None:
    with ui.element("dl").classes("facts"):
        for name, value in facts:
            with ui.element("dt"):
                ui.label(name)
            with ui.element("dd"):
                ui.label(value)


def _facts(call: Conversation, zone: tzinfo) -> str:
    parts = [words.known(call.language)]
    parts.append(f"since {clock(call.started_ns, zone)}")
    if call.ended_ns is not None:
        parts.append(f"ended {clock(call.ended_ns, zone)}")
    return " · ".join(part for part in parts if part)
