"""Puts on record who looked at which conversation and who did what, from the matched route."""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage.audit import Entry, conversation_of_alert, record
from storage.errors import StoreUnavailableError
from streams.serving.access.caller import Caller
from streams.serving.problems import RETRY_AFTER_S, problem
from streams.telemetry import logger

REPEAT_S: Final = 60.0
"""Looking again at the same of the same is on record once in so long: pages are read in pieces,
and a page that is open asks again and again."""
REMEMBERED: Final = 10_000
PAUSES_S: Final = (0.1, 0.4)
"""Between attempts to write; then the request fails."""
QUERY: Final = ("participant", "from", "to", "resolution", "format", "run")
"""Parameters that say which part of a conversation was asked for. No others are kept."""
_ERRORS: Final = 400
"""From this status on nothing was shown and nothing was done."""
_SAFE: Final = re.compile(r"[A-Za-z0-9._:+-]{1,128}")
_READING: Final = ("GET", "HEAD")
_VERBS: Final = {"PUT": "put", "PATCH": "change", "DELETE": "delete", "POST": "create"}
_OWN_WORDS: Final = {"key.delete": "key.revoke", "label.judgements": "label.judge"}
_SINGULAR: Final = {"deliveries": "delivery"}
_FINDING: Final = {"/v1/search": "moment.search", "/v1/labels/{name}/moments": "label.moments"}


def note(request: Request, **details: Any) -> None:
    """Add `details` to what goes on record of this request: ids and names, never content.

    `conversation` says which one a request was about whose path does not.
    """
    _notes(request).update(details)


def described(
    method: str, template: str, path: Mapping[str, str], query: Mapping[str, str]
) -> tuple[str, str | None, dict[str, Any]] | None:
    """Action, conversation and details of a request; None where none goes on record.

    Every write does. Looking does where it is at one conversation or one alert, and where it
    shows moments of conversations that nobody named: lists and means over many do not.

    Args:
        method: of the request.
        template: path of the route, with its `{parameters}`.
        path: parameters of the path.
        query: parameters of the query.
    """
    words = template.strip("/").split("/")[1:]
    if not words or not template.startswith("/v1/"):
        return None
    noun = _SINGULAR.get(words[0], words[0].removesuffix("s"))
    rest = [word for word in words[1:] if not word.startswith("{")]
    conversation = path.get("conversation", query.get("conversation"))
    if conversation is not None and not _SAFE.fullmatch(conversation):
        conversation = None
    if method in _READING:
        if noun == "conversation" and path:
            action = ".".join(("conversation", *(rest or ["view"])))
        elif noun == "alert" and path:
            action = ".".join(("alert", *(rest or ["view"])))
        elif template in _FINDING:
            action = _FINDING[template]
        elif conversation is not None:
            action = f"conversation.{words[0]}"
        else:
            return None
    else:
        action = ".".join((noun, *(rest or [_VERBS.get(method, method.lower())])))
    named = {name: value for name, value in path.items() if name != "conversation"}
    asked = {name: query[name] for name in QUERY if name in query}
    details = {name: value for name, value in (named | asked).items() if _SAFE.fullmatch(value)}
    return _OWN_WORDS.get(action, action), conversation, details


class Recorder:
    """Pure ASGI middleware: an answer below 400 goes out after its entry is stored.

    Where an entry cannot be stored, after three attempts, nothing is shown: the answer is 503.
    A write has been done by then, and the problem says so.
    """

    def __init__(
        self,
        app: ASGIApp,
        engine: AsyncEngine,
        clock_ns: Callable[[], int] = time.time_ns,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._engine = engine
        self._clock_ns = clock_ns
        self._clock_s = clock_s
        self._seen: OrderedDict[tuple[object, ...], float] = OrderedDict()
        self._log = logger("access")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record HTTP; pass anything else through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, failed = Request(scope), False

        async def recorded(message: Message) -> None:
            nonlocal failed
            if message["type"] == "http.response.start" and message["status"] < _ERRORS:
                try:
                    await self._record(request)
                except StoreUnavailableError as exc:
                    failed = True
                    self._log.error("not_on_record", path=request.url.path, error=str(exc))
                    await _unrecorded(request)(scope, receive, send)
            if not failed:
                await send(message)

        await self._app(scope, receive, recorded)

    async def _record(self, request: Request) -> None:
        caller: Caller | None = getattr(request.state, "caller", None)
        template: str | None = getattr(request.scope.get("route"), "path", None)
        if caller is None or template is None:
            return
        path = {name: str(value) for name, value in request.path_params.items()}
        found = described(request.method, template, path, request.query_params)
        if found is None:
            return
        action, conversation, details = found
        details |= _notes(request)
        conversation = details.pop("conversation", conversation)
        reading = request.method in _READING
        seen = (caller.tenant, caller.name, action, conversation, repr(sorted(details.items())))
        if reading and self._clock_s() - self._seen.get(seen, float("-inf")) < REPEAT_S:
            return
        for pause_s in (*PAUSES_S, None):
            try:
                if conversation is None and action.startswith("alert.") and path:
                    alert = next(iter(path.values()))
                    conversation = await conversation_of_alert(self._engine, caller.tenant, alert)
                entry = Entry(caller.tenant, caller.name, action, conversation, details)
                await record(self._engine, entry, self._clock_ns())
            except StoreUnavailableError:
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)
            else:
                break
        if reading:
            self._remember(seen)

    def _remember(self, seen: tuple[object, ...]) -> None:
        self._seen[seen] = self._clock_s()
        self._seen.move_to_end(seen)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def _notes(request: Request) -> dict[str, Any]:
    notes: dict[str, Any] = request.scope.setdefault("state", {}).setdefault("audit_notes", {})
    return notes


def _unrecorded(request: Request) -> ASGIApp:
    done = "" if request.method in _READING else " It was done: look before you ask again."
    return problem(
        request,
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"The database does not take the entry of the audit log, so nothing is shown.{done}",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
