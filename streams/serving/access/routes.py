"""What the routes of an application ask of their callers, read from their dependencies."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from streams.serving import problems
from streams.serving.access.caller import AtLeast, Rank
from streams.serving.access.guard import OPEN
from streams.serving.access.scopes import needed

SCHEMES: Final = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "as_…",
        "description": "An API key: `affectstream keys create NAME --rank viewer`.",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the OpenID Connect provider that the service is set up with.",
    },
}
_LATER: Final = {
    "Retry-After": {
        "description": "Seconds until the next request may succeed.",
        "schema": {"type": "integer"},
    }
}
_HEADERS: Final = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: _LATER,
    503: _LATER,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One method of one route, and the rank that its dependencies state."""

    method: str
    path: str
    rank: Rank | None


def asked(app: FastAPI) -> Iterator[Asked]:
    """Every method of every route of `app`, included routers too."""
    for context in iter_route_contexts(app.routes):
        dependant = getattr(context, "dependant", None)
        rank = None if dependant is None else _rank(dependant)
        for method in sorted(context.methods or ()):
            yield Asked(method, context.path or "", rank)


def _rank(dependant: Dependant) -> Rank | None:
    """The highest rank among the dependencies and theirs."""
    ranks = [_rank(inner) for inner in dependant.dependencies]
    if isinstance(dependant.call, AtLeast):
        ranks.append(dependant.call.needed)
    return max((rank for rank in ranks if rank is not None), key=list(Rank).index, default=None)


def describe_access(document: dict[str, Any], app: FastAPI) -> None:
    """Say in an OpenAPI document of `app` who may ask what, and what strangers are answered."""
    document.setdefault("components", {})["securitySchemes"] = SCHEMES
    ranks = {(one.path, one.method): one.rank for one in asked(app)}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path in OPEN:
                operation["security"] = []
                continue
            scopes = sorted(needed(method.upper(), path))
            operation["security"] = [{name: list(scopes)} for name in SCHEMES]
            rank = ranks.get((path, method.upper()))
            if rank is not None:
                operation["x-rank"] = str(rank)
            # 400: a body that is no UTF-8; 503: nobody can say who asks, or put it on record
            bodily = (400, 413) if "requestBody" in operation else ()
            for status, answer in problems.documented(401, 403, 429, 503, *bodily).items():
                said = operation["responses"].setdefault(str(status), dict(answer))
                if int(status) in _HEADERS:
                    said.setdefault("headers", _HEADERS[int(status)])
