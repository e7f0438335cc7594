"""Every error of the API as problem details (RFC 9457), `application/problem+json`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from storage.errors import StoreUnavailableError
from streams.telemetry import logger

MEDIA_TYPE: Final = "application/problem+json"
UNMATCHED: Final = "unmatched"
"""Of requests that took no route."""
RETRY_AFTER_S: Final = 2
_PATH: Final = "/:@!$&'()*+,;=~"
"""What a path may hold as it is (RFC 3986, section 3.3)."""

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "errors": {
            "type": "array",
            "description": "One entry a wrong field, where a request did not validate.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses` of a route that may answer with these problems."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": SCHEMA}},
        }
        for status in statuses
    }


class ProblemError(Exception):
    """Raised inside a route; answered as problem details."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.extra = extra


def problem(
    request: Request,
    status: int,
    detail: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One problem. `detail` says what to change; it never repeats what was sent."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": quote(request.scope["path"], safe=_PATH),
        **(extra or {}),
    }
    return Response(msgspec.json.encode(body), status, headers, MEDIA_TYPE)


def route_of(scope: Mapping[str, Any]) -> str:
    """Template of the route that a request took: for logs and metrics, which hold no ids."""
    return getattr(scope.get("route"), "path", UNMATCHED)


def refusal(request: Request, exc: ProblemError | StoreUnavailableError) -> Response:
    """What is answered where `exc` was raised: in a route, or in what lies around them."""
    if isinstance(exc, ProblemError):
        return problem(request, exc.status, exc.detail, exc.extra, exc.headers)
    logger("api").warning("store_away", route=route_of(request.scope), error=str(exc))
    return problem(
        request,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The database does not answer; nothing is lost, try again.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def install(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""
    log = logger("api")

    @app.exception_handler(ProblemError)
    async def _ours(request: Request, exc: ProblemError) -> Response:
        return refusal(request, exc)

    @app.exception_handler(HTTPException)
    async def _framework(request: Request, exc: HTTPException) -> Response:
        return problem(request, exc.status_code, exc.detail, headers=exc.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, exc: RequestValidationError) -> Response:
        errors = [
            {"field": ".".join(str(part) for part in error["loc"][1:]), "message": error["msg"]}
            for error in exc.errors()
        ]
        return problem(
            request,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "; ".join(f"{error['field']}: {error['message']}" for error in errors),
            {"errors": errors},
        )

    @app.exception_handler(StoreUnavailableError)
    async def _away(request: Request, exc: StoreUnavailableError) -> Response:
        return refusal(request, exc)

    @app.exception_handler(Exception)
    async def _bug(request: Request, exc: Exception) -> Response:
        log.error("request_crashed", route=route_of(request.scope), exc_info=exc)
        return problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error; see the log.")
