"""`/v1/conversations/{id}/export`: the scores of a conversation as a file."""

from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.score import WindowScore
from storage.timeline import read_extent
from storage.values import LIVE_RUN, ConversationKey
from streams.serving.access.caller import Viewer
from streams.serving.api.conversations import ID, ConversationId, unknown
from streams.serving.api.etags import IfNoneMatch, headers, unchanged, weak_etag, with_etag
from streams.serving.exports import parquet
from streams.serving.exports.formats import WRITTEN, Format
from streams.serving.exports.source import Source, pages
from streams.serving.problems import ProblemError, documented

_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file, by window start and participant.",
        "headers": {
            "Content-Disposition": {
                "description": "A name for the file.",
                "schema": {"type": "string"},
            }
        },
        "content": {
            written.media_type.partition(";")[0]: {
                "schema": {"type": "string"}
                if form is not Format.PARQUET
                else {"type": "string", "format": "binary"}
            }
            for form, written in WRITTEN.items()
        },
    }
}


def router(engine: AsyncEngine) -> APIRouter:
    """The route of exports of the caller's tenant."""
    routes = APIRouter(prefix="/v1/conversations", tags=["conversations"])

    @routes.get(
        "/{conversation}/export",
        response_class=StreamingResponse,
        responses=with_etag(_FILE) | documented(404, 422, 501, 503),
    )
    async def export(
        caller: Viewer,
        conversation: ConversationId,
        form: Annotated[Format, Query(alias="format")] = Format.JSONL,
        run: Annotated[str, Query(pattern=ID)] = LIVE_RUN,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Every final score as JSON lines, CSV, Parquet, WebVTT or EmotionML 1.0.

        Written while it is sent. 501 where the library of a format is not installed.
        """
        key = ConversationKey(caller.tenant, conversation)
        extent = await read_extent(engine, key, run)
        if extent is None:
            raise unknown()
        etag = weak_etag(form, run, extent)
        held = unchanged(if_none_match, etag)
        if held is not None:
            return held
        if form is Format.PARQUET:
            _check_parquet()
        written = WRITTEN[form]
        found = pages(engine, key, run)
        first = await anext(found)  # a database that is away is a problem, not half a file
        source = Source(
            conversation=conversation,
            run=run,
            started_ns=extent.started_ns,
            pages=_chained(first, found),
        )
        name = conversation if run == LIVE_RUN else f"{conversation}.{run}"
        disposition = f'attachment; filename="{name}.{written.suffix}"'
        return StreamingResponse(
            written.encode(source),
            media_type=written.media_type,
            headers=headers(etag) | {"Content-Disposition": disposition},
        )

    return routes


async def _chained(
    first: Sequence[WindowScore], rest: AsyncIterator[Sequence[WindowScore]]
) -> AsyncIterator[Sequence[WindowScore]]:
    yield first
    async for page in rest:
        yield page


def _check_parquet() -> None:
    try:
        parquet.require()
    except parquet.NoParquetError as exc:
        raise ProblemError(HTTPStatus.NOT_IMPLEMENTED, str(exc)) from exc
