"""ETags: an answer that did not change since is not sent again (RFC 9110, sections 8.8, 13.1.2)."""

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from typing import Annotated, Any, Final

from fastapi import Header, Response
from starlette.status import HTTP_304_NOT_MODIFIED

IfNoneMatch = Annotated[
    str | None,
    Header(max_length=4_096, description="`ETag` of an answer that is still here; 304 if it holds"),
]
REVALIDATE: Final = "private, no-cache"
"""Keep it for yourself, and ask before you use it again."""
_ETAG: Final = {"ETag": {"description": "Of this answer; weak.", "schema": {"type": "string"}}}


def with_etag(responses: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses` of a route whose 200 has an ETag, and its 304."""
    answer = responses[200]
    return responses | {
        200: {**answer, "headers": {**answer.get("headers", {}), **_ETAG}},
        304: {"description": "Not Modified: what the ETag names still holds.", "headers": _ETAG},
    }


def weak_etag(*facts: object) -> str:
    """Changes with `facts`, and with the version of the software that words the answer."""
    text = repr((version("affectstream"), facts))
    return f'W/"{hashlib.sha256(text.encode()).hexdigest()[:24]}"'


def headers(etag: str) -> dict[str, str]:
    """Of an answer, sent or not."""
    return {"ETag": etag, "Cache-Control": REVALIDATE}


def unchanged(if_none_match: str | None, etag: str) -> Response | None:
    """304 where the asker holds this version; None where the answer must be sent."""
    if if_none_match is None or not _names(if_none_match.split(","), etag):
        return None
    return Response(status_code=HTTP_304_NOT_MODIFIED, headers=headers(etag))


def _names(candidates: Iterable[str], etag: str) -> bool:
    """Weak comparison: `W/` says nothing here."""
    wanted = etag.removeprefix("W/")
    return any(one.strip().removeprefix("W/") in {wanted, "*"} for one in candidates)


def tagged(body: bytes, media_type: str, if_none_match: str | None) -> Response:
    """An answer whose ETag is made from itself."""
    etag = weak_etag(body)
    return unchanged(if_none_match, etag) or Response(
        body, media_type=media_type, headers=headers(etag)
    )
