"""The page *Conversation*: it places what `rows` and `timeline` decided, and nothing else."""

import contextlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from html import escape
from typing import Any, Final
from urllib.parse import quote

from msgspec.structs import replace
from nicegui import events, ui

from inference.contract import parse_time
from inference.score import WindowScore
from inference.units import MS_NS
from streams.serving.dashboard.client import (
    ApiClient,
    ApiUnavailableError,
    PolicyFact,
    Story,
    UnknownConversationError,
    Words,
)
from streams.serving.dashboard.live.board import Board, Timeline
from streams.serving.dashboard.live.raised import Alert, worst_first
from streams.serving.dashboard.live.rows import (
    Carrier,
    Conversation,
    ParticipantRow,
    carriers,
    participant_row,
    parties,
)
from streams.serving.dashboard.shell import desk_words, words
from streams.serving.dashboard.shell.frame import (
    TICK_S,
    browser_zone,
    clock,
    frame,
    heading,
    show_state,
    skip_link,
)

WORDS_S: Final = 5.0
"""How often kept words of a running call are read."""
STORY_S: Final = 10.0
"""How often the text of a running call is read."""
EVERYBODY: Final = "-"
NO: Final = "no"
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
    with ui.element("div").classes("page").props("id=conversation tabindex=-1") as page:
        try:
            timeline = await board.timeline(conversation)
        except UnknownConversationError:
            ui.html(words.UNKNOWN_CALL, sanitize=False).classes("card empty")
            show_state(state, None, board)
            return
        except ApiUnavailableError as exc:
            ui.label(f"{exc}. Load the page again in a moment.").classes("trouble")
            show_state(state, None, board)
            return
        head = Head(conversation)
        trouble = ui.label().classes("trouble")
        told = Told(client, conversation)
        cards = ui.element("div")
        transcript = Transcript(client, conversation)
        policy = Policy(client, conversation)
        ui.label(words.CAVEAT).classes("caveat")
    zone = await browser_zone()
    course = Course(client, cards, zone, parsed(at))
    ui.on("pick-second", course.pick)
    shown: list[Any] = [None]

    async def show() -> None:
        try:
            timeline = await board.timeline(conversation)
            now = (id(timeline), timeline.version, board.trouble)
            if now != shown[0]:
                shown[0] = now
                head.show(timeline, zone)
                await policy.show(timeline, zone)
                await course.show(timeline, policy.withdrawn)
                await told.show(timeline)
                await transcript.show(timeline, zone)
        except UnknownConversationError:
            ticking.cancel()
            page.clear()
            with page:
                ui.html(words.GONE_CALL, sanitize=False).classes("card empty")
            show_state(state, None, board, zone)
            return
        except ApiUnavailableError:
            shown[0] = None
        show_state(state, trouble, board, zone)

    head.show(timeline, zone)
    ticking = ui.timer(TICK_S, show, immediate=False)
    await show()


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

    async def show(self, timeline: Timeline, withdrawn: Mapping[str, int]) -> None:
        """Bring every card up to date; a participant may be new, or have withdrawn consent."""
        for standing in timeline.participants():
            name = standing.participant
            if name not in self._cards:
                with self._place:
                    card = ParticipantCard(self._client, timeline.call.id, name, self._zone)
                self._cards[name] = card
                await card.choose(self._chosen_ns)
            self._cards[name].show(timeline, withdrawn.get(name, withdrawn.get(EVERYBODY)))

    async def pick(self, event: events.GenericEventArguments) -> None:
        """The browser chose a second, or the newest again."""
        self._chosen_ns = parsed(str(event.args or ""))
        for card in tuple(self._cards.values()):  # one may join while another waits
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


class Policy:
    """What the policy let through, where the API tells; read again where points were deleted."""

    def __init__(self, client: ApiClient, conversation: str) -> None:
        self._client = client
        self._conversation = conversation
        self._read: Any = None
        self._box = ui.element("div")
        self.withdrawn: Mapping[str, int] = {}
        """By participant, since when their consent is withdrawn."""

    async def show(self, timeline: Timeline, zone: tzinfo) -> None:
        """Read what is new of it, where something may be."""
        now = (id(timeline), timeline.edition, len(timeline.call.standings))
        if now == self._read:
            return
        found = await self._client.decisions(self._conversation)
        self._read = now
        self.withdrawn = withdrawals(found)
        self._box.clear()
        if not found:
            return
        with self._box, ui.element("section").classes("card"):
            heading(2, words.DECISIONS)
            with ui.element("ul").classes("decisions"):
                for one, modalities in together(found):
                    with ui.element("li"):
                        verdict = words.ALLOWED if one.allowed else words.DROPPED
                        ui.label(f"{one.participant}, {modalities}: {verdict}")
                        profile = f" (profile {one.profile})" if one.profile else ""
                        at = clock(parse_time(one.at), zone)
                        ui.label(f"{one.reason}{profile}, from {at}").classes("small")


def together(found: Iterable[PolicyFact]) -> list[tuple[PolicyFact, str]]:
    """Decisions that differ in the modality only as one, with their modalities in words."""
    groups: dict[PolicyFact, list[str]] = {}
    for one in found:
        of_one = groups.setdefault(replace(one, modality=""), [])
        of_one.append(desk_words.modality(one.modality))
    return [(one, ", ".join(modalities)) for one, modalities in groups.items()]


def withdrawals(decisions: Iterable[PolicyFact]) -> dict[str, int]:
    """Whose consent is withdrawn now, and since when, by the newest decisions."""
    found: dict[str, int] = {}
    for one in sorted(decisions, key=lambda item: parse_time(item.at)):
        if one.facts.consent != NO:
            found.pop(one.participant, None)
        elif not one.allowed:
            found.setdefault(one.participant, parse_time(one.at))
    return found


class Told:
    """The call so far in words, a paragraph for each participant; hidden where nobody tells."""

    def __init__(self, client: ApiClient, conversation: str) -> None:
        self._client = client
        self._conversation = conversation
        self._read_s = 0.0
        self._read: Any = None
        self._shown: Sequence[Story] = ()
        self._box = ui.element("section").classes("card")
        with self._box:
            heading(2, words.STORY)
            self._lines = ui.element("div")
        self._box.set_visibility(False)

    async def show(self, timeline: Timeline) -> None:
        """Bring it up to date; while a call runs it is read every `STORY_S`."""
        now = (id(timeline), timeline.edition, timeline.call.ended_ns)
        if now == self._read and time.monotonic() - self._read_s < STORY_S:
            return
        found = await self._client.stories(self._conversation)
        self._read, self._read_s = now, time.monotonic()
        if found == self._shown:
            return
        self._shown = found
        self._box.set_visibility(bool(found))
        self._lines.clear()
        with self._lines:
            for one in found:
                if len(found) > 1:
                    ui.label(words.full_name(one.role, one.participant)).classes("small")
                ui.label(one.text or "").classes("story")
            narrators = ", ".join(sorted({one.narrator for one in found if one.narrator}))
            ui.label(words.TOLD_BY.format(narrator=narrators)).classes("small")


class Transcript:
    """Words that were kept, each line with the way to its second; hidden where none were."""

    def __init__(self, client: ApiClient, conversation: str) -> None:
        self._client = client
        self._conversation = conversation
        self._read_s = 0.0
        self._read: Any = None
        self._shown: Sequence[Words] = ()
        self._box = ui.element("section").classes("card transcript")
        with self._box:
            heading(2, words.TRANSCRIPT)
            self._lines = ui.element("ol")
        self._box.set_visibility(False)

    async def show(self, timeline: Timeline, zone: tzinfo) -> None:
        """Bring it up to date; while a call runs it is read every `WORDS_S`."""
        now = (id(timeline), timeline.edition, timeline.call.ended_ns)
        if now == self._read and time.monotonic() - self._read_s < WORDS_S:
            return
        found = await self._client.transcript(self._conversation)
        self._read, self._read_s = now, time.monotonic()
        if found == self._shown:
            return
        self._shown = found
        self._box.set_visibility(bool(found))
        self._lines.clear()
        with self._lines:
            for one in found:
                self._place(one, timeline.call, zone)

    def _place(self, one: Words, call: Conversation, zone: tzinfo) -> None:
        standing = call.standings.get(one.participant)
        who = (
            one.participant
            if standing is None
            else words.full_name(standing.role, standing.participant)
        )
        at_ns = parse_time(one.end)
        with ui.element("li"):
            link = ui.link(clock(parse_time(one.start), zone), f"?at={quote(one.end)}")
            link.props(f"data-second={at_ns // MS_NS}")
            ui.label(who).classes("small")
            ui.label(one.text)


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
        self._chosen_ns: int | None = None
        self._picked: WindowScore | None = None
        self._said: WindowScore | None = None
        self._edition = 0
        with ui.element("section").classes("card"):
            with ui.element("div").classes("head"):
                self._title = heading(2, participant)
                self._meter = ui.html(sanitize=False)
                self._feeling = ui.label().classes("says")
                self._remarks = ui.label().classes("small")
            self._withdrawn = ui.label().classes("trouble").props("role=status")
            self._course = ui.element("div")
            with self._course:
                self._chart = ui.echart({}).classes("chart")
                with ui.element("div").classes("key small"):
                    ui.label(words.UNSURE_BAND).classes("unsure")
                    ui.label(words.NOTHING_BAND).classes("nothing")
                    ui.label(words.PROVISIONAL_KEY).classes("early")
            self._beneath = ui.element("div").classes("beneath")
            ui.html(EVIDENCE, sanitize=False)

    def show(self, timeline: Timeline, withdrawn_ns: int | None) -> None:
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
        self._withdrawn.set_visibility(withdrawn_ns is not None)
        if withdrawn_ns is not None:
            at = clock(withdrawn_ns, self._zone)
            self._withdrawn.set_text(words.WITHDRAWN.format(at=at))
        if self._edition != timeline.edition:
            self._edition = timeline.edition
            # it may be one of those that were deleted, or about to be read as one
            self._chosen_ns = self._picked = None
        url = f"/points/{quote(self._conversation)}/{quote(self._participant)}"
        ui.run_javascript(f"drawChart({self._chart.id}, {json.dumps(url)})")
        self._newest = standing.latest
        self._explain()

    async def choose(self, at_ns: int | None) -> None:
        """Explain the window that ended last at `at_ns`, or the newest one for None.

        The last choice holds, whichever answer comes last.
        """
        self._chosen_ns = at_ns
        found = None
        if at_ns is not None:
            with contextlib.suppress(ApiUnavailableError, UnknownConversationError):
                found = await self._client.score_at(self._conversation, self._participant, at_ns)
        if self._chosen_ns == at_ns:
            self._picked = found
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
