"""The page *Live*: it places what `rows` decided, and nothing else."""

import time
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import quote

from nicegui import ui

from streams.serving.dashboard import words
from streams.serving.dashboard.board import Board
from streams.serving.dashboard.frame import (
    MS_NS,
    SECOND_NS,
    TICK_S,
    frame,
    heading,
    show_state,
)
from streams.serving.dashboard.rows import Conversation, ConversationRow, table


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


def live_page(board: Board) -> None:
    """Everybody who talks now, most distressed first."""
    state = frame("")
    with ui.element("div").classes("page"):
        heading(1, words.LIVE)
        lead = ui.label().classes("lead")
        trouble = ui.label().classes("trouble")
        calls = ui.table(columns=COLUMNS, rows=[], row_key="key", pagination=0).classes("calls")
        calls.props("flat hide-bottom")
        calls.add_slot("body", BODY)
        empty = ui.html(sanitize=False).classes("card empty")
        ended_title = heading(2, words.ENDED)
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
        show_state(state, trouble, board)

    show()
    ui.timer(TICK_S, show)


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
