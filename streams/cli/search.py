"""`affectstream search`."""

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from cyclopts import Parameter, validators
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inference.errors import AffectstreamError
from inference.labels import Emotion, Role
from storage.moments import MomentFilter
from streams.settings import Settings

if TYPE_CHECKING:
    from storage.moment_search import Ranking, Size
    from streams.serving.api.bodies_search import MomentBody

ACTOR: Final = "command line"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class NothingToSearchError(AffectstreamError):
    """No moment of the tenant can be found."""


def search(
    description: str,
    *,
    emotion: Emotion | None = None,
    participant: str | None = None,
    role: Role | None = None,
    conversation: str | None = None,
    queue: str | None = None,
    begin: Annotated[datetime | None, Parameter(name="--from")] = None,
    end: Annotated[datetime | None, Parameter(name="--to")] = None,
    min_distress: Annotated[
        float | None, Parameter(validator=validators.Number(gte=0, lte=1))
    ] = None,
    limit: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=100))] = 10,
    per_conversation: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=100))] = 3,
    tenant: str | None = None,
    json: bool = False,
) -> None:
    """Find moments of stored conversations by how they sounded and what was said.

    Works on the database directly. Finds windows that a worker scored while `search = true`.
    The similarity orders them; it is no probability.

    Example: `affectstream search "raised voice, asks for refund" --emotion anger --limit 5`

    Args:
        description: a voice, a mood, words: in English.
        emotion: only windows with this label.
        participant: only of this one.
        role: only of participants in this role.
        conversation: only of this one.
        queue: only conversations that began in it.
        begin: only windows that start then or later: a date, or a time as
            2026-11-23T10:00:00+01:00; UTC where nothing is said.
        end: only windows that start before.
        min_distress: only where distress is at least so probable, 0 to 1.
        limit: at most so many.
        per_conversation: at most so many of one, where `--conversation` names none.
        tenant: whose; the setting `tenant` if left out.
        json: print one JSON object a moment, as the API shows it.
    """
    from storage.moment_search import Size
    from streams.cli._start import read_settings

    wanted = MomentFilter(
        emotion=emotion,
        participant=participant,
        role=role,
        conversation=conversation,
        queue=queue,
        from_ns=None if begin is None else _ns(begin),
        to_ns=None if end is None else _ns(end),
        min_distress=min_distress,
    )
    settings = read_settings(tenant=tenant)
    size = Size(limit, per_conversation)
    found = asyncio.run(_search(settings, description, wanted, size))
    from streams.serving.api.bodies_search import moment_body

    bodies = [moment_body(one) for one in found.moments]
    if json:
        for body in bodies:
            sys.stdout.write(f"{msgspec.json.encode(body).decode()}\n")
        return
    Console(highlight=False, emoji=False).print(table_of(bodies))
    Console(stderr=True, highlight=False, soft_wrap=True).print(told(found), markup=False)


async def _search(
    settings: Settings, description: str, wanted: MomentFilter, size: "Size"
) -> "Ranking":
    from storage.audit import Entry, record
    from storage.moment_search import MomentSearch
    from streams.cli._database import opened
    from streams.cli._search import open_space
    from streams.serving.finder import Finder

    async with opened(settings) as engine:
        space = open_space(settings)
        finder = Finder(space, MomentSearch(engine, space.version))
        found = await finder.described(settings.tenant, description, wanted, size)
        if not found.indexed:
            raise NothingToSearchError(_advice(settings, found, space.version))
        shown = sorted({one.key.conversation for one in found.moments})
        entry = Entry(
            settings.tenant, ACTOR, "moment.search", wanted.conversation, {"shown": shown}
        )
        await record(engine, entry, time.time_ns())
    return found


def _advice(settings: Settings, found: "Ranking", space: str) -> str:
    if found.other_space:
        return (
            f"tenant {settings.tenant} has {found.other_space} moments, all of another version of "
            f"the shared space than {space}: set alignment_weights to the weights that they were "
            "stored with, or search what is scored from now on"
        )
    return (
        f"tenant {settings.tenant} has no moment that can be found: vectors are kept of windows "
        "that `affectstream worker` scores while `search = true`"
    )


def table_of(bodies: Sequence["MomentBody"]) -> Table:
    """One moment a row, the nearest first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("near", "begins", "conversation", "who", "label", "distress", "heard and said"):
        table.add_column(
            name, no_wrap=name in {"near", "begins", "label", "distress"}, overflow="fold"
        )
    for one in bodies:
        label = "not sure" if one.label is None else one.label.value
        table.add_row(
            f"{one.similarity:.2f}",
            one.start.replace("T", " ").removesuffix("Z")[:19],
            Text(one.conversation),
            Text(f"{one.participant}, {one.role}"),
            label,
            "--" if one.distress is None else f"{one.distress:.2f}",
            Text(_heard(one)),
        )
    return table


def told(found: "Ranking") -> str:
    """What the table does not show."""
    lines = [f"{len(found.moments)} of {found.indexed} moments; times are UTC"]
    if any(one.imputed for one in found.moments):
        lines.append("(expected): part of its vector was not seen or heard")
    if found.other_space:
        lines.append(f"{found.other_space} of another version of the shared space were left out")
    if found.left_out:
        lines.append(f"{found.left_out} older ones were left out: they do not fit into memory")
    return "\n".join(lines)


def _heard(one: "MomentBody") -> str:
    said = " ".join(words.text for words in one.words)
    parts = [cue.cue for cue in one.cues]
    if said:
        parts.insert(0, f'"{said}"')
    if one.imputed:
        parts.append("(expected)")
    return "; ".join(dict.fromkeys(parts))


def _ns(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND * 1_000
