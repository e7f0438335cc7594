"""The page *Conversation*: it places what `rows` and `timeline` decided, and nothing else."""

import contextlib
import json
import time
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Final
from urllib.parse import quote

from nicegui import events, ui

from inference.score import WindowScore
from streams.serving.dashboard import words
from streams.serving.dashboard.board import Board, Timeline
from streams.serving.dashboard.client import (
    ApiClient,
    ApiUnavailableError,
    UnknownConversationError,
)
from streams.serving.dashboard.frame import (
    MS_NS,
    TICK_S,
    browser_zone,
    clock,
    frame,
    heading,
    show_state,
)
from streams.serving.dashboard.rows import (
    Carrier,
    Conversation,
    ParticipantRow,
    carriers,
    participant_row,
)

AXES: Final[dict[str, Any]] = {
    "grid": {"left": 48, "right": 16, "top": 34, "bottom": 28},
    "legend": {
        "top": 0,
        "left": 44,
        "icon": "rect",
        "itemWidth": 18,
        "itemHeight": 3,
        "textStyle": {"color": "#17202e", "fontSize": 13},
    },
    "tooltip": {
        "trigger": "axis",
        ":valueFormatter": "v => v == null ? 'nothing to read' : v + ' %'",
    },
    "xAxis": {
        "type": "time",
        "axisLabel": {"formatter": "{HH}:{mm}:{ss}", "color": "#526074", "hideOverlap": True},
        "splitLine": {"show": False},
    },
    "yAxis": {
        "type": "value",
        "min": 0,
        "max": 100,
        "interval": 25,
        "axisLabel": {"formatter": "{value} %", "color": "#526074"},
        "splitLine": {"lineStyle": {"color": "#e7ebf1"}},
    },
    "series": [],
}


async def conversation_page(board: Board, client: ApiClient, conversation: str) -> None:
    """How one conversation went, and what each score rests on."""
    state = frame(conversation)
    with ui.element("div").classes("page"):
        try:
            await board.timeline(conversation)
        except UnknownConversationError:
            ui.html(words.UNKNOWN_CALL, sanitize=False).classes("card empty")
            return
        except ApiUnavailableError as exc:
            ui.label(f"{exc}. Load the page again in a moment.").classes("trouble")
            return
        heading(1, conversation)
        facts = ui.label().classes("lead")
        trouble = ui.label().classes("trouble")
        cards = ui.element("div")
        ui.label(words.CAVEAT).classes("caveat")
    placed: dict[str, ParticipantCard] = {}
    shown: list[Any] = [None]
    zone = await browser_zone()

    async def show() -> None:
        with contextlib.suppress(ApiUnavailableError, UnknownConversationError):
            timeline = await board.timeline(conversation)
            for standing in timeline.participants():
                if standing.participant not in placed:
                    with cards:
                        placed[standing.participant] = ParticipantCard(
                            client, conversation, standing.participant, zone
                        )
            now = (id(timeline), timeline.version, board.trouble)
            if now != shown[0]:
                shown[0] = now
                facts.set_text(_facts(timeline.call, zone))
                for card in placed.values():
                    card.show(timeline)
        show_state(state, trouble, board)

    await show()
    ui.timer(TICK_S, show)


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
                self._chart = ui.echart(AXES, on_point_click=self._pick).classes("chart")
                with ui.element("div").classes("key small"):
                    ui.label(words.UNSURE_BAND).classes("unsure")
                    ui.label(words.NOTHING_BAND).classes("nothing")
            self._beneath = ui.element("div").classes("beneath")

    def show(self, timeline: Timeline) -> None:
        """Bring the card up to date."""
        standing = timeline.call.standings[self._participant]
        row = participant_row(self._conversation, standing, time.time_ns())
        self._title.set_text(row.name)
        self._meter.set_content(_meter(row))
        self._course.set_visibility(standing.latest is not None)
        self._feeling.set_text(row.feeling)
        self._feeling.classes(replace=f"says {row.state}")
        self._remarks.set_text(" · ".join(part for part in (row.detail, *row.remarks) if part))
        url = f"/points/{quote(self._conversation)}/{quote(self._participant)}"
        ui.run_javascript(f"drawChart({self._chart.id}, {json.dumps(url)})")
        self._newest = standing.latest
        self._explain()

    async def _pick(self, event: events.EChartPointClickEventArguments) -> None:
        if not isinstance(event.value, list):
            return
        end_ns = int(event.value[0]) * MS_NS
        with contextlib.suppress(ApiUnavailableError, UnknownConversationError):
            self._picked = await self._client.score_at(
                self._conversation, self._participant, end_ns
            )
        self._explain()

    def _follow(self) -> None:
        self._picked = None
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
                ui.button(words.FOLLOW, on_click=self._follow).props("flat dense no-caps")
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
    parts = [words.known(call.queue), words.known(call.language)]
    parts.append(f"since {clock(call.started_ns, zone)}")
    if call.ended_ns is not None:
        parts.append(f"ended {clock(call.ended_ns, zone)}")
    return " · ".join(part for part in parts if part)
