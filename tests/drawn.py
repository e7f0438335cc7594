"""A page of the dashboard that nobody looks at: what its parts put on it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from nicegui import Client, core, ui
from nicegui.page import page


@contextmanager
def blank_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Elements made inside stand on it; for a test that runs in an event loop."""
    monkeypatch.setattr(core, "loop", asyncio.get_running_loop())
    with Client(page("")) as drawn:
        yield drawn
        drawn.delete()


def labels(drawn: Client) -> list[str]:
    """The text of every label on it."""
    return [one.text for one in drawn.elements.values() if isinstance(one, ui.label)]
