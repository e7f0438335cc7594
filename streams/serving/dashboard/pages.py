"""The two pages: they place what `rows` and `timeline` decided, and nothing else."""

import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nicegui import events, ui

from inference.score import WindowScore
from streams.serving.dashboard import words
from streams.serving.dashboard.board import Board, Timeline
from streams.serving.dashboard.client import (
    ApiClient,
    ApiUnavailableError,
    UnknownConversationError,
)
from streams.serving.dashboard.rows import (
    Carrier,
    Conversation,
    ConversationRow,
    ParticipantRow,
    carriers,
    participant_row,
    table,
)

TICK_S: Final = 1.0
MS_NS: Final = 1_000_000
SECOND_NS: Final = 1_000_000_000
HEAD: Final = (
    '<link rel="stylesheet" href="/assets/pages.css"><script src="/assets/charts.js"></script>'
)


def _columns(*named: tuple[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "label": label, "field": name, "align": "left"} for name, label in named]


COLUMNS: Final = _columns(
    ("call", "Conversation"),
    ("who", "Participant"),
    ("distress", "Distress now"),
    ("says", "Reads as"),
    ("rests", "Rests on"),
    ("since", "Since"),
)
ENDED_COLUMNS: Final = _columns(
    ("call", "Conversation"), ("since", "Began"), ("ended", "Ended"), ("length", "Lasted")
)
ENDED_BODY: Final = """
<q-tr :props="props" :data-ended="props.row.key">
  <q-td><a class="quiet id" :href="props.row.link">{{ props.row.key }}</a>
    <div class="small">{{ props.row.queue }}</div></q-td>
  <q-td>{{ new Date(props.row.since).toLocaleTimeString([], {timeStyle: 'short'}) }}</q-td>
  <q-td>{{ new Date(props.row.ended).toLocaleTimeString([], {timeStyle: 'short'}) }}</q-td>
  <q-td>{{ props.row.length }}</q-td>
</q-tr>
"""
BODY: Final = """
<q-tr :props="props" :class="props.row.first ? 'first' : 'later'" :data-key="props.row.key">
  <q-td><template v-if="props.row.first">
    <a class="quiet id" :href="props.row.link">{{ props.row.call }}</a>
    <div class="small">{{ props.row.queue }}</div></template></q-td>
  <q-td>{{ props.row.name }}</q-td>
  <q-td style="width: 24%"><div class="meter" :class="{held: props.row.held}">
    <span class="number">{{ props.row.distress }}</span>
    <div class="track"><div class="fill" :class="'tone' + props.row.tone"
      :style="{width: props.row.level + '%'}"></div></div></div></q-td>
  <q-td><span class="says" :class="props.row.state">{{ props.row.feeling }}</span>
    <span class="small"> {{ props.row.detail }}</span>
    <div class="small" :class="{stale: props.row.stale}">{{ props.row.note }}</div></q-td>
  <q-td><div class="rests"><span v-for="one in props.row.carriers" :key="one.name"
    :class="{none: !one.present}">{{ one.name }}{{ one.present ? '' : ':' }}
    {{ one.text }}</span></div></q-td>
  <q-td><template v-if="props.row.first">
    {{ new Date(props.row.since).toLocaleTimeString([], {timeStyle: 'short'}) }}
    <div class="small">{{ props.row.running }}</div></template></q-td>
</q-tr>
"""
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


def live_page(board: Board) -> None:
    """Everybody who talks now, most distressed first."""
    state = _frame("")
    with ui.element("div").classes("page"):
        _heading(1, words.LIVE)
        lead = ui.label().classes("lead")
        trouble = ui.label().classes("trouble")
        calls = ui.table(columns=COLUMNS, rows=[], row_key="key", pagination=0).classes("calls")
        calls.props("flat hide-bottom")
        calls.add_slot("body", BODY)
        empty = ui.html(sanitize=False).classes("card empty")
        ended_title = _heading(2, words.ENDED)
        ended = ui.table(columns=ENDED_COLUMNS, rows=[], row_key="key", pagination=0)
        ended.classes("calls").props("flat hide-bottom")
        ended.add_slot("body", ENDED_BODY)
        ui.label(words.CAVEAT).classes("caveat")

    shown: list[Any] = [None]

    def show() -> None:
        blocks = table(board.running(), time.time_ns())
        rows = [row for block in blocks for row in _rows(block)]
        over = [_ended_row(call) for call in board.recent]
        now = (rows, over, board.trouble, board.loaded)
        if now == shown[0]:
            return
        shown[0] = now
        calls.rows = rows
        ended.rows = over
        ended.set_visibility(bool(over))
        ended_title.set_visibility(bool(over))
        calls.set_visibility(bool(rows))
        empty.set_visibility(not rows)
        empty.set_content(words.NO_CALLS if board.loaded else words.CONNECTING)
        lead.set_text(words.running(len(blocks)) if board.loaded else "")
        _show_state(state, trouble, board)

    show()
    ui.timer(TICK_S, show)


async def conversation_page(board: Board, client: ApiClient, conversation: str) -> None:
    """How one conversation went, and what each score rests on."""
    state = _frame(conversation)
    with ui.element("div").classes("page"):
        try:
            await board.timeline(conversation)
        except UnknownConversationError:
            ui.html(words.UNKNOWN_CALL, sanitize=False).classes("card empty")
            return
        except ApiUnavailableError as exc:
            ui.label(f"{exc}. Load the page again in a moment.").classes("trouble")
            return
        _heading(1, conversation)
        facts = ui.label().classes("lead")
        trouble = ui.label().classes("trouble")
        cards = ui.element("div")
        ui.label(words.CAVEAT).classes("caveat")
    placed: dict[str, ParticipantCard] = {}
    shown: list[Any] = [None]
    zone = await _browser_zone()

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
        _show_state(state, trouble, board)

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
                self._title = _heading(2, participant)
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
        begin, end = (_clock(at_ns, self._zone) for at_ns in (score.start_ns, score.end_ns))
        with ui.element("div"):
            _heading(3, words.WINDOW.format(begin=begin, end=end))
            _facts_list(words.window_facts(score))
            if self._picked is None:
                ui.label(words.PICK_A_POINT).classes("small")
            else:
                ui.button(words.FOLLOW, on_click=self._follow).props("flat dense no-caps")
        with ui.element("div"):
            _heading(3, words.RESTS_ON)
            with ui.element("div").classes("weights"):
                for one in carriers(score):
                    _weight(one)
        with ui.element("div"):
            _heading(3, words.CUES)
            if not score.evidence:
                ui.label(words.NO_CUES).classes("small")
            with ui.element("ul").classes("cues"):
                for cue in score.evidence:
                    at = "" if cue.at_ns is None else f" ({_clock(cue.at_ns, self._zone)})"
                    with ui.element("li"):
                        ui.label(f"{words.MODALITY[cue.modality]}: {cue.cue}{at}")


def _frame(where: str) -> ui.label:
    """Head of both pages; the label shows the state of the connection."""
    ui.add_head_html(HEAD)
    with ui.element("header").classes("bar"):
        ui.link("affectstream", "/").classes("mark quiet")
        ui.link(words.LIVE, "/").classes("where quiet")
        if where:
            ui.label(where).classes("where").props("aria-current=page")
        return ui.label().classes("state")


def _show_state(state: ui.label, trouble: ui.label, board: Board) -> None:
    state.set_text(words.CONNECTED if board.trouble is None else words.AWAY)
    state.classes(remove="away") if board.trouble is None else state.classes(add="away")
    said = board.trouble or ""
    trouble.set_text(f"{said[:1].upper()}{said[1:]}. {words.WAITS}")
    trouble.set_visibility(board.trouble is not None)


def _rows(block: ConversationRow) -> list[dict[str, Any]]:
    """The table's rows of one conversation; the first names it."""
    return [
        {
            **asdict(one),
            "first": index == 0,
            "link": f"/conversations/{quote(block.key)}",
            "call": block.key,
            "queue": block.detail,
            "since": block.started_ms,
            "running": block.running,
            "note": " · ".join((*one.remarks, *((one.age,) if one.stale else ()))),
        }
        for index, one in enumerate(block.participants)
    ]


def _ended_row(call: Conversation) -> dict[str, Any]:
    """The table's row of a conversation that is over."""
    ended_ns = call.ended_ns or call.started_ns
    return {
        "key": call.id,
        "link": f"/conversations/{quote(call.id)}",
        "queue": " · ".join(filter(None, map(words.known, (call.queue, call.language)))),
        "since": call.started_ns // MS_NS,
        "ended": ended_ns // MS_NS,
        "length": words.duration((ended_ns - call.started_ns) / SECOND_NS),
    }


def _heading(level: int, text: str) -> ui.label:
    return ui.label(text).classes(f"h{level}").props(f"role=heading aria-level={level}")


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
    parts.append(f"since {_clock(call.started_ns, zone)}")
    if call.ended_ns is not None:
        parts.append(f"ended {_clock(call.ended_ns, zone)}")
    return " · ".join(part for part in parts if part)


def _clock(at_ns: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at_ns // SECOND_NS, zone).strftime("%H:%M:%S")


async def _browser_zone() -> tzinfo:
    """The time zone of whoever looks, as the charts use it."""
    await ui.context.client.connected()
    name = await ui.run_javascript("Intl.DateTimeFormat().resolvedOptions().timeZone")
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
