"""The page *Search*: moments by description, and labels of one's own."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from http import HTTPStatus
from typing import Final

from nicegui import ui

from inference.errors import AffectstreamError
from streams.serving.access.caller import Rank
from streams.serving.dashboard.asking import RefusedError
from streams.serving.dashboard.desk import Desk
from streams.serving.dashboard.search import client as api
from streams.serving.dashboard.search.rows import (
    DISTRESS,
    EXAMPLES,
    LABELS,
    ROLES,
    TIMES,
    calibration_said,
    filters,
    found_said,
    label_state,
    moment_row,
    name_wrong,
    prompts_of,
    prompts_wrong,
)
from streams.serving.dashboard.shell import desk_words as words
from streams.serving.dashboard.shell.desk_page import desk_page
from streams.serving.dashboard.shell.forms import Field, action, said
from streams.serving.dashboard.shell.frame import heading
from streams.serving.dashboard.shell.section import Section
from streams.serving.dashboard.shell.words import CAVEAT

SHEET: Final = '<link rel="stylesheet" href="/assets/search.css">'
LEAD: Final = (
    "Moments of conversations by how they sounded and what was said, the nearest first. "
    "Similarity orders them; it is no probability. Of one conversation the nearest three are "
    "shown; name it below to see more."
)
OWN_LEAD: Final = (
    "Describe what you look for in a few sentences. After 20 judged moments, some for and some "
    "against, the order becomes a probability."
)
FIRST: Final = 5
"""Labels that are shown before somebody asks for more: moments stay in reach."""
REFUSED: Final = (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for: a description, or a label of one's own."""

    text: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, or why nothing could be."""

    question: Question
    found: api.Found | None = None
    why_not: str = ""


async def search_page(desk: Desk, text: str = "", label: str = "") -> None:
    """The question, what was found, and labels; `text` or `label` is asked for at once."""
    ui.add_head_html(SHEET)
    async with desk_page(desk, "Search", LEAD, CAVEAT) as zone:
        page = SearchPage(desk, zone, Question(text, label))
    await page.load()


class SearchPage:
    """A question with filters, its answer, and the labels of the tenant."""

    def __init__(self, desk: Desk, zone: tzinfo, question: Question) -> None:
        self._desk = desk
        self._zone = zone
        self._may = desk.me.may(Rank.SUPERVISOR)
        self._question = question
        with (
            ui.element("form")
            .classes("find")
            .props("role=search")
            .on("submit", js_handler="(event) => event.preventDefault()")
        ):
            self._text = Field(
                "What it sounded like, in words",
                question.text,
                kind="search",
                on_enter=self._ask,
                maxlength="400",
                placeholder=EXAMPLES[0],
            )
            action("Search", self._ask, kind="main")
        with ui.element("div").classes("filters"):
            self._filters = {
                "emotion": Field("Label", options=LABELS, on_change=self._again),
                "min_distress": Field("Distress", options=DISTRESS, on_change=self._again),
                "days": Field("When", options=TIMES, on_change=self._again),
                "role": Field("Role", options=ROLES, on_change=self._again),
                "queue": Field("Queue", on_enter=self._again, maxlength="256"),
                "conversation": Field("Conversation", on_enter=self._again, maxlength="128"),
                "participant": Field("Participant", on_enter=self._again, maxlength="128"),
            }
        self._labels = Section(partial(api.labels, desk.asking), self._place_labels, zone)
        self._editor = ui.element("div")
        self._told = ui.label().classes("told").props("role=status")
        self._answer = Section(self._read, self._place, zone)

    async def load(self) -> None:
        """Read both parts."""
        await self._labels.load()
        await self._answer.load()

    async def _ask(self) -> None:
        await self._look(Question(text=self._text.value.strip()))

    async def _again(self) -> None:
        await self._look(self._question)

    async def _look(self, question: Question) -> None:
        self._question = question
        self._tell("")
        await self._answer.load()

    async def _example(self, text: str) -> None:
        self._text.set(text)
        await self._ask()

    async def _read(self) -> Answer:
        question, asking = self._question, self._desk.asking
        chosen = {name: field.value for name, field in self._filters.items()}
        query = filters(chosen, time.time_ns())
        try:
            if question.label:
                found = await api.moments(asking, question.label, query)
            elif question.text:
                found = await api.search(asking, question.text, query)
            else:
                return Answer(question)
        except RefusedError as exc:
            if exc.status not in REFUSED:
                raise
            return Answer(question, why_not=str(exc))
        return Answer(question, found)

    def _place(self, answer: Answer) -> None:
        if answer.why_not:
            with ui.element("div").classes("card empty"):
                said("strong", "Nothing can be found")
                said("span", answer.why_not)
        elif answer.found is None:
            with ui.element("div").classes("card empty"):
                said("strong", "Say what you look for")
                with ui.element("div").classes("acts middle"):
                    for text in EXAMPLES:
                        action(text, partial(self._example, text))
        else:
            self._place_found(answer.question, answer.found)

    def _place_found(self, question: Question, found: api.Found) -> None:
        with ui.element("section").classes("card"):
            name = question.label
            heading(2, f"Moments near the label {name}" if name else "Nearest moments")
            ui.label(found_said(found)).classes("small")
            if name:
                ui.label(calibration_said(found.calibration, found.missing)).classes("small")
            if not found.items:
                ui.label("No window passes these filters.").classes("lonely")
            with ui.element("ol").classes("moments"):
                for one in found.items:
                    with ui.element("li").classes("moment"):
                        self._place_moment(name, one)

    def _place_moment(self, label: str, one: api.Moment) -> None:
        row = moment_row(one, self._zone)
        with ui.element("div").classes("near").props(f'title="{row.near}"'):
            with ui.element("div").classes("track").props("aria-hidden=true"):
                ui.element("div").classes("fill").style(f"width: {row.share}%")
            said("span", row.near.removeprefix("similarity ")).props(f'aria-label="{row.near}"')
        with ui.element("div").classes("what"):
            with ui.element("div"):
                ui.link(row.title, row.link).classes("id")
                said("span", f" · {row.who}").classes("small")
            if row.said:
                said("q", row.said)
            if row.cues:
                ui.label(row.cues).classes("small")
        with ui.element("div").classes("reads"):
            said("span", row.label).classes("badge off")
            said("span", row.distress).classes("small")
            if row.expected:
                said("span", "partly expected").classes("badge off").props(
                    'title="Part of its vector is what was expected, not what was seen or heard"'
                )
            if row.probability:
                said("span", f"{label} {row.probability}").classes("badge info")
        if label and self._may:
            self._place_judge(label, one)

    def _place_judge(self, label: str, one: api.Moment) -> None:
        with ui.element("div").classes("acts").props(f'role=group aria-label="Is it {label}?"'):
            buttons = {
                holds: action(text, partial(self._judge, label, one, holds=holds))
                for holds, text in ((True, "holds"), (False, "does not"))
            }
        for holds, button in buttons.items():
            button.props["aria-pressed"] = "true" if one.judged is holds else "false"

    async def _judge(self, label: str, one: api.Moment, *, holds: bool) -> None:
        try:
            now = await api.judge(self._desk.asking, label, one, holds=holds)
        except AffectstreamError as exc:
            self._tell(f"Not stored: {exc}", wrong=True)
            return
        await self._answer.load()
        await self._labels.load()
        self._tell(f"{label}: {label_state(now)}.")

    def _place_labels(self, labels: Sequence[api.Label]) -> None:
        with ui.element("section").classes("card"):
            heading(2, "Labels of your own")
            ui.label(OWN_LEAD).classes("small")
            self._list(labels[:FIRST])
            if len(labels) > FIRST:
                with ui.element("details"):
                    said("summary", f"{len(labels) - FIRST} more")
                    self._list(labels[FIRST:])
            if self._may:
                with ui.element("div").classes("acts"):
                    action("New label", partial(self._edit, None))

    def _list(self, labels: Sequence[api.Label]) -> None:
        with ui.element("ul").classes("labels"):
            for one in labels:
                with ui.element("li").classes("own"):
                    self._place_label(one)

    def _place_label(self, one: api.Label) -> None:
        with ui.element("div").classes("what"):
            said("span", one.name).classes("id")
            said("span", f" · {label_state(one)}").classes("small")
            ui.label(" / ".join(one.prompts)).classes("small")
        with ui.element("div").classes("acts"):
            named = f'aria-label="{{}} {one.name}"'
            show = partial(self._look, Question(label=one.name))
            action("Show moments", show).props(named.format("Show moments of"))
            if self._may:
                action("Edit", partial(self._edit, one)).props(named.format("Edit"))
                action("Delete", partial(self._delete, one), kind="danger").props(
                    named.format("Delete")
                )

    def _edit(self, label: api.Label | None) -> None:
        self._editor.clear()
        with self._editor, ui.element("section").classes("card"):
            heading(3, f"Edit {label.name}" if label else "New label")
            with ui.element("div").classes("form"):
                name = Field("Name", label.name if label else "", maxlength="128")
                with ui.element("div").classes("wide"):
                    prompts = Field(
                        "Sentences that describe it, one a line",
                        "\n".join(label.prompts) if label else "",
                        kind="long",
                        hint="how the voice sounds, what is said",
                        rows="4",
                    )
            with ui.element("div").classes("acts"):
                action("Save", partial(self._save, name, prompts), kind="main")
                action("Cancel", self._cancel)

    def _cancel(self) -> None:
        self._editor.clear()

    async def _save(self, name: Field, prompts: Field) -> None:
        name.wrong(name_wrong(name.value))
        prompts.wrong(prompts_wrong(prompts.value))
        if name_wrong(name.value) or prompts_wrong(prompts.value):
            return
        try:
            saved = await api.put(self._desk.asking, name.value.strip(), prompts_of(prompts.value))
        except AffectstreamError as exc:
            prompts.wrong(str(exc))
            return
        self._editor.clear()
        await self._labels.load()
        await self._look(Question(label=saved.name))
        self._tell(words.SAVED)

    async def _delete(self, label: api.Label) -> None:
        try:
            await api.delete(self._desk.asking, label.name)
        except AffectstreamError as exc:
            self._tell(f"Not deleted: {exc}", wrong=True)
            return
        if self._question.label == label.name:
            await self._look(Question())
        await self._labels.load()
        self._tell(f"{label.name} was deleted, with what was judged of it.")

    def _tell(self, text: str, *, wrong: bool = False) -> None:
        self._told.set_text(text)
        self._told.classes(add="wrong") if wrong else self._told.classes(remove="wrong")
