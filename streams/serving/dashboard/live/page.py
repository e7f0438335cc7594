"""The page *Live*: an empty table that the browser fills with what `live_table` gives out.

The page itself is still: who watches 200 calls gets their rows as changes over one route,
and filters, sorts and moves through them without asking anybody.
"""

from html import escape
from typing import Final

from nicegui import ui

from streams.serving.dashboard.live.board import Board
from streams.serving.dashboard.shell import words
from streams.serving.dashboard.shell.frame import TICK_S, frame, heading, show_state, skip_link

HEAD: Final = (
    '<link rel="stylesheet" href="/assets/live.css"><script defer src="/assets/live.js"></script>'
)


def live_page(board: Board) -> None:
    """Everybody who talks now, who needs somebody first."""
    skip_link("#live")
    state = frame("")
    ui.add_head_html(HEAD)
    with ui.element("div").classes("page"):
        heading(1, words.LIVE)
        ui.html(TABLE, sanitize=False)
        ui.label(words.CAVEAT).classes("caveat")
    ui.timer(TICK_S, lambda: show_state(state, None, board))


def _head(*names: str) -> str:
    cells = "".join(f'<div role="columnheader">{escape(name)}</div>' for name in names)
    return f'<div role="rowgroup"><div role="row" class="call-head">{cells}</div></div>'


def _keys() -> str:
    rows = "".join(
        f"<div><dt>{' '.join(f'<kbd>{escape(key)}</kbd>' for key in keys)}</dt>"
        f"<dd>{escape(said)}</dd></div>"
        for keys, said in words.KEYS
    )
    return f"<dl>{rows}</dl>"


TABLE: Final = f"""
<div id="live" tabindex="-1" data-away="{escape(words.AWAY_SINCE)}"
  data-lost="{escape(words.LOST_SINCE)}" data-one="{escape(words.running(1))}"
  data-many="{escape(words.RUNNING)}" data-some="{escape(words.RUNNING_SOME)}"
  data-new-alert="{escape(words.NEW_ALERT)}" data-trend="{escape(words.TREND)}">
  <div class="tools">
    <p class="lead" id="live-lead"></p>
    <span class="held-note" id="live-held" hidden>{escape(words.ORDER_HELD)}</span>
    <label class="filter">{escape(words.FILTER)}
      <input id="live-filter" type="search" list="live-queues" autocomplete="off"
        spellcheck="false" aria-controls="live-calls" placeholder="{escape(words.ALL_QUEUES)}">
    </label>
    <datalist id="live-queues"></datalist>
    <button id="live-help-button" type="button" class="plain">{escape(words.KEYS_TITLE)}
      <kbd>?</kbd></button>
  </div>
  <p class="trouble" id="live-stale" role="status" hidden></p>
  <div id="live-table" role="table" aria-label="{escape(words.LIVE)}" hidden>
    {_head(*words.LIVE_COLUMNS)}
    <div id="live-calls" role="presentation"></div>
  </div>
  <div class="card empty" id="live-loading">{words.CONNECTING}</div>
  <div class="card empty" id="live-none" hidden>{words.NO_CALLS}</div>
  <div class="card empty" id="live-unmatched" hidden>{words.NO_MATCH}</div>
  <section id="live-over" hidden>
    <h2 class="h2">{escape(words.ENDED)}</h2>
    <ul class="over" id="live-ended"></ul>
  </section>
  <p class="unseen" id="live-news" role="status" aria-live="polite"></p>
  <dialog id="live-help" aria-labelledby="live-help-title">
    <h2 class="h2" id="live-help-title">{escape(words.KEYS_TITLE)}</h2>{_keys()}
    <form method="dialog"><button class="plain">{escape(words.CLOSE)}</button></form>
  </dialog>
</div>
"""
