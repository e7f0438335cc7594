"""Plain HTML controls: labelled, themed by our style sheet, and light on the wire."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from nicegui import events, ui
from nicegui.elements.mixins.text_element import TextElement

VALUE: Final = "(event) => emit(event.target.value)"
Act = Callable[[], Awaitable[None] | None]


def said(tag: str, text: str) -> TextElement:
    """Text in an element of any tag."""
    return TextElement(tag=tag, text=text)


class Field:
    """One input with its label; `value` is what stands in it."""

    def __init__(
        self,
        label: str,
        value: str = "",
        *,
        kind: str = "text",
        options: Mapping[str, str] | None = None,
        hint: str = "",
        on_change: Act | None = None,
        on_enter: Act | None = None,
        **attributes: str,
    ) -> None:
        self.value = value
        self._on_change = on_change
        self._on_enter = on_enter
        self._hint = hint
        self._options: dict[str, ui.element] = {}
        with ui.element("label").classes("field"):
            said("span", label)
            if options is None:
                tag = "textarea" if kind == "long" else "input"
                self._input = ui.element(tag)
                self._input.props["value"] = value
                if tag == "input":
                    self._input.props["type"] = kind
                self._input.on("input", self._heard, js_handler=VALUE, throttle=0.1)
                if on_enter is not None:
                    self._input.on("keydown.enter", self._entered, js_handler=VALUE)
            else:
                self._input = ui.element("select").on("change", self._heard, js_handler=VALUE)
                with self._input:
                    for key, text in options.items():
                        option = said("option", text)
                        option.props["value"] = key
                        if key == value:
                            option.props["selected"] = True
                        self._options[key] = option
            for name, given in attributes.items():
                self._input.props[name.rstrip("_").replace("_", "-")] = given
            self._said = said("span", hint).classes("hint")
            self._said.set_visibility(bool(hint))
        # the label around it would count options and hint as parts of the name
        self._input.props["aria-label"] = label
        self._input.props["aria-describedby"] = self._said.html_id

    def set(self, value: str) -> None:
        """Put another value in."""
        self.value = value
        self._input.props["value"] = value
        for key, option in self._options.items():
            option.props["selected"] = key == value
        self._input.update()

    def wrong(self, message: str) -> None:
        """Say what is wrong with the value; with nothing to say the hint is back."""
        told = message or self._hint
        self._said.set_text(told)
        self._said.set_visibility(bool(told))
        self._said.classes(add="wrong") if message else self._said.classes(remove="wrong")
        self._input.props["aria-invalid"] = "true" if message else "false"
        self._input.update()

    async def _entered(self, event: events.GenericEventArguments) -> None:
        await self._heard(event)  # what was typed last may still be on its way
        if self._on_enter is not None:
            done = self._on_enter()
            if done is not None:
                await done

    async def _heard(self, event: events.GenericEventArguments) -> None:
        self.value = str(event.args)
        if not self._options:  # else a hint that changes would put the old value back
            self._input.props["value"] = self.value
        if self._on_change is not None:
            done = self._on_change()
            if done is not None:
                await done


def action(text: str, act: Act, *, kind: str = "", **attributes: str) -> TextElement:
    """A button; `kind` is `main`, `danger` or nothing."""
    button = said("button", text).classes(f"act {kind}".strip())
    button.props["type"] = "button"
    for name, given in attributes.items():
        button.props[name.replace("_", "-")] = given
    button.on("click", act, args=[])
    return button


def grid(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> ui.element:
    """A table of text; a cell that is a callable places itself. On a phone each row is a list."""
    box = ui.element("div").classes("scroll")
    box.props(f'tabindex=0 role=region aria-label="{caption}"')
    with box, ui.element("table").classes("listing"):
        with ui.element("thead"), ui.element("tr"):
            for column in columns:
                said("th", column).props("scope=col")
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for column, cell in zip(columns, row, strict=True):
                        if callable(cell):
                            with ui.element("td") as place:
                                cell()
                        else:
                            place = said("td", str(cell))
                        place.props["data-label"] = column
    return box
