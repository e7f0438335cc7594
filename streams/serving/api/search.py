"""`/v1/search`: moments by description."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from inference.errors import AffectstreamError
from inference.labels import Emotion, Role
from storage.errors import StoreUnavailableError
from storage.moment_search import Ranking, Size
from storage.moments import MomentFilter
from streams.serving.access.caller import Viewer
from streams.serving.access.recorder import note
from streams.serving.answers import json_answer
from streams.serving.api.bodies_search import SearchBody, search_body
from streams.serving.api.conversations import ID, to_ns
from streams.serving.api.schemas import answers
from streams.serving.api.times import Moment
from streams.serving.finder import Finder
from streams.serving.problems import ProblemError, documented

MOST: Final = 100
USUAL: Final = 20
PER_CONVERSATION: Final = 3
LONGEST: Final = 400
"""Characters of a description."""
TEXT: Final = r"^[^\x00]*\S[^\x00]*$"
OFF: Final = (
    "Nothing is searched for here: no vectors are kept of windows. Set `search = true` where "
    "`worker` and `serve` run, and start both again; windows that are scored from then on can "
    "be found."
)
NOTHING: Final = (
    "No window can be found yet. Vectors are kept of windows that a worker scores while "
    "`search = true`."
)
ALL_OLDER: Final = (
    "No window can be found yet: {count} have vectors of another version of the shared space, "
    "which compare to nothing in {space}. Windows that are scored from now on can be found."
)


def admitted(
    emotion: Annotated[Emotion | None, Query(description="The label decided on.")] = None,
    participant: Annotated[str | None, Query(pattern=ID)] = None,
    conversation: Annotated[str | None, Query(pattern=ID)] = None,
    queue: Annotated[str | None, Query(max_length=256, pattern=r"^[^\x00]*$")] = None,
    role: Annotated[Role | None, Query()] = None,
    begin: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
    min_distress: Annotated[float | None, Query(ge=0.0, le=1.0)] = None,
) -> MomentFilter:
    """What a query lets be ranked."""
    return MomentFilter(
        emotion=emotion,
        participant=participant,
        conversation=conversation,
        queue=queue,
        role=role,
        from_ns=None if begin is None else to_ns(begin),
        to_ns=None if end is None else to_ns(end),
        min_distress=min_distress,
    )


Wanted = Annotated[MomentFilter, Depends(admitted)]


def sized(
    limit: Annotated[int, Query(ge=1, le=MOST)] = USUAL,
    per_conversation: Annotated[
        int,
        Query(
            ge=1,
            le=MOST,
            description="At most so many of one conversation, where `conversation` names none.",
        ),
    ] = PER_CONVERSATION,
) -> Size:
    """How much a query wants to see."""
    return Size(limit, per_conversation)


Sized = Annotated[Size, Depends(sized)]


def router(finder: Finder | None) -> APIRouter:
    """The search of the caller's tenant; None where nothing is searched for."""
    routes = APIRouter(prefix="/v1/search", tags=["search"])

    @routes.get("", responses=answers(SearchBody) | documented(409, 422, 503))
    async def search(
        request: Request,
        caller: Viewer,
        wanted: Wanted,
        size: Sized,
        q: Annotated[
            str,
            Query(
                min_length=1,
                max_length=LONGEST,
                pattern=TEXT,
                description="What it sounded like, in words: `raised voice, asks for refund`.",
            ),
        ],
    ) -> Response:
        """Windows that start in `[from, to)` and are nearest to a description, nearest first.

        Filters are applied before the ranking; of windows of one participant that overlap only
        the nearest is given, and of one conversation the nearest three unless more are asked
        for. 409 where no vectors are kept, or none yet.
        """
        finds = switched_on(finder)
        try:
            found = await finds.described(caller.tenant, q, wanted, size)
        except StoreUnavailableError:
            raise
        except AffectstreamError as exc:
            raise not_understood("q") from exc
        not_empty(found, finds)
        shown(request, found)
        return json_answer(search_body(found, finds.space.version))

    return routes


def switched_on(finder: Finder | None) -> Finder:
    """Raises ProblemError (409) where nothing is searched for."""
    if finder is None:
        raise ProblemError(HTTPStatus.CONFLICT, OFF)
    return finder


def not_understood(field: str) -> ProblemError:
    """No word of `field` means anything in the shared space."""
    detail = (
        f"{field}: no word of it is known; describe a voice, a mood or what was said in English "
        "words"
    )
    wrong = {"field": field, "message": "no word of it is known"}
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=[wrong])


def not_empty(found: Ranking, finder: Finder) -> None:
    """Raises ProblemError (409) where there is nothing that could be found."""
    if found.indexed:
        return
    if found.other_space:
        said = ALL_OLDER.format(count=found.other_space, space=finder.space.version)
        raise ProblemError(HTTPStatus.CONFLICT, said)
    raise ProblemError(HTTPStatus.CONFLICT, NOTHING)


def shown(request: Request, found: Ranking) -> None:
    """Put on record whose moments were shown; never what was asked for."""
    note(request, shown=sorted({one.key.conversation for one in found.moments}))
