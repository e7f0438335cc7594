"""The page *Privacy*: what was decided and why, consents, and erasures with their receipts."""

from collections.abc import Sequence
from datetime import tzinfo
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from nicegui import ui

from inference.errors import AffectstreamError
from streams.serving.access.caller import Rank
from streams.serving.dashboard.asking import NotOfferedError
from streams.serving.dashboard.desk import Desk
from streams.serving.dashboard.privacy import client as api
from streams.serving.dashboard.privacy.rows import (
    KINDS,
    answer,
    decision_said,
    deleted,
    facts_said,
    may_erase,
    participant_said,
    receipt,
    together,
)
from streams.serving.dashboard.shell import desk_words as words
from streams.serving.dashboard.shell.desk_page import desk_page
from streams.serving.dashboard.shell.forms import Field, action, grid, said
from streams.serving.dashboard.shell.frame import heading
from streams.serving.dashboard.shell.section import Section
from streams.serving.dashboard.shell.words import NONE
from streams.serving.dashboard.trends.rows import minute

FIRST: Final = 10
"""Rows of a list before somebody asks for more."""
LEAD: Final = "Who was analysed, in what, and on which ground; and what was erased."


async def privacy_page(desk: Desk) -> None:
    """For whoever answers for the data."""
    async with desk_page(desk, "Privacy", LEAD) as zone:
        if not desk.me.may(Rank.ADMIN):
            ui.html(words.NOT_ALLOWED, sanitize=False).classes("card empty")
            return
        page = PrivacyPage(desk, zone)
    await page.load()


class PrivacyPage:
    """Four lists and a form."""

    def __init__(self, desk: Desk, zone: tzinfo) -> None:
        self._desk = desk
        self._zone = zone
        heading(2, "Decisions").style("margin-bottom: 10px")
        with ui.element("div").classes("filters"):
            self._which = Field(
                "Show",
                "refused",
                options={"refused": "refused only", "all": "all"},
                on_change=self._load_decisions,
            )
        self._decisions = Section(self._read_decisions, self._place_decisions, zone)
        heading(2, "Consents and withdrawals").style("margin: 24px 0 10px")
        self._consents = Section(partial(api.consents, desk.asking), self._place_consents, zone)
        heading(2, "Erasures").style("margin: 24px 0 10px")
        self._form()
        self._erasures = Section(partial(api.erasures, desk.asking), self._place_erasures, zone)
        heading(2, "Who looked, and who did what").style("margin: 24px 0 10px")
        self._audit = Section(partial(api.audit, desk.asking), self._place_audit, zone)

    async def load(self) -> None:
        """Read all lists."""
        await self._decisions.load()
        await self._consents.load()
        await self._erasures.load()
        await self._audit.load()

    async def _load_decisions(self) -> None:
        await self._decisions.load()

    async def _read_decisions(self) -> list[api.PolicyDecision]:
        return await api.decisions(self._desk.asking, refused_only=self._which.value == "refused")

    def _place_decisions(self, found: list[api.PolicyDecision]) -> None:
        with ui.element("div").classes("card"):
            if not found:
                ui.label("None.").classes("lonely")
                return
            listing(
                "Decisions",
                ("At", "Conversation", "Participant", "Of", "Decision", "Reason", "From"),
                [
                    (
                        minute(one.at, self._zone),
                        partial(_call, one.conversation),
                        participant_said(one.participant),
                        modalities,
                        partial(_badge, decision_said(one), allowed=one.allowed),
                        f"{one.reason} ({one.profile})" if one.profile else one.reason,
                        facts_said(one),
                    )
                    for one, modalities in together(found)
                ],
            )

    def _place_consents(self, found: list[api.Consent]) -> None:
        with ui.element("div").classes("card"):
            if not found:
                ui.label(words.NOTHING_YET).classes("lonely")
                return
            listing(
                "Consents",
                ("At", "Conversation", "Participant", "Consent", "Notice", "Deleted by it"),
                [
                    (
                        minute(one.at, self._zone),
                        partial(_call, one.conversation),
                        participant_said(one.participant),
                        answer(one.consent),
                        answer(one.notice),
                        deleted(one),
                    )
                    for one in found
                ],
            )

    def _place_erasures(self, found: list[api.Erasure]) -> None:
        with ui.element("div").classes("card"):
            if not found:
                ui.label("Nothing was erased yet.").classes("lonely")
                return
            listing(
                "Receipts of erasures",
                ("At", "By", "What", "Deleted", "Kafka keeps raw records until", "Receipt"),
                [
                    (
                        minute(one.at, self._zone),
                        one.by,
                        one.kind,
                        receipt(one),
                        "" if one.kafka_until is None else minute(one.kafka_until, self._zone),
                        one.id,
                    )
                    for one in found
                ],
            )

    def _place_audit(self, found: list[api.Looked]) -> None:
        with ui.element("div").classes("card"):
            if not found:
                ui.label(words.NOTHING_YET).classes("lonely")
                return
            listing(
                "Audit log",
                ("At", "Who", "Did", "Conversation"),
                [
                    (
                        minute(one.at, self._zone),
                        one.actor,
                        one.action,
                        partial(_call, one.conversation) if one.conversation else NONE,
                    )
                    for one in found
                ],
            )

    def _form(self) -> None:
        with ui.element("section").classes("card"):
            heading(3, "Erase")
            ui.label(words.ERASE_LEAD).classes("small")
            self._told = ui.label().classes("told").props("role=status")
            with ui.element("div").classes("form"):
                self._kind = Field("What", "conversation", options=KINDS)
                self._name = Field("Its id", autocomplete="off", maxlength="128")
                self._typed = Field(
                    "To confirm", hint="type: erase, and the id", autocomplete="off"
                )
            with ui.element("div").classes("acts"):
                action("Erase for good", self._erase, kind="danger")

    async def _erase(self) -> None:
        name = self._name.value.strip()
        why_not = may_erase(name, self._typed.value)
        self._typed.wrong(why_not)
        if why_not:
            return
        try:
            done = await api.erase(self._desk.asking, self._kind.value, name)
        except NotOfferedError:
            self._tell("The API does not offer it, or knows nothing of this id.", wrong=True)
        except AffectstreamError as exc:
            self._tell(f"Nothing was erased: {exc}", wrong=True)
        else:
            self._tell(f"Erased. Receipt {done.id}: {receipt(done)}.")
            self._name.set("")
            self._typed.set("")
            await self._erasures.load()

    def _tell(self, text: str, *, wrong: bool = False) -> None:
        self._told.set_text(text)
        self._told.classes(add="wrong") if wrong else self._told.classes(remove="wrong")


def _call(conversation: str) -> None:
    ui.link(conversation, f"/conversations/{quote(conversation, safe='')}")


def _badge(text: str, *, allowed: bool) -> None:
    said("span", text).classes(f"badge {'info' if allowed else 'off'}")


def listing(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """The first rows, the others on request: each list leaves the next one in reach."""
    grid(caption, columns, rows[:FIRST])
    if len(rows) > FIRST:
        with ui.element("details"):
            said("summary", f"{len(rows) - FIRST} more")
            grid(f"{caption}, more", columns, rows[FIRST:])
