"""Who may see pages: asked before every request, and before and during every websocket.

Pure ASGI, because HTTP middleware does not see websockets.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.serving.access.local import is_loopback
from streams.serving.dashboard.asking import RefusedError
from streams.serving.dashboard.client import ApiUnavailableError
from streams.serving.dashboard.desk import Desk, Desks
from streams.serving.dashboard.door.sessions import Session, Sessions

COOKIE: Final = "affectstream-session"
PUBLIC: Final = ("/healthz", "/signin", "/assets/", "/favicon.ico")
LIBRARY: Final = "/_nicegui/"
"""Scripts and styles of the library, which anybody can install; below it only `/client/` and
uploads belong to a page."""
PRIVATE_LIBRARY: Final = ("/client/", "/upload")
CHECK_S: Final = 60.0
"""How long a revoked key may still load pages; the API refuses its data at once."""
POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Nothing from elsewhere. The library writes inline scripts and compiles templates in the
browser, so both `unsafe-` words are needed: without either its pages stay empty."""
FORM_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Of the sign-in page, which is plain HTML."""
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
CLOSED: Final = 1008
TAKEN_S: Final = 10.0
"""How long the API's yes to a request without a session stands: charts ask every second."""
REMEMBERED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who may see pages."""

    desk: Desk
    session: Session | None
    """None where the API needs no credential, or a proxy sends it with every request."""


class Door:
    """Decides who is let in, and at which desk they sit."""

    def __init__(
        self,
        desks: Desks,
        sessions: Sessions,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.desks = desks
        self.sessions = sessions
        self._clock_s = clock_s
        self._taken: dict[bytes, float] = {}
        self._refused_until_s = 0.0
        """Asking without a credential counts at the API, as guessing does."""

    async def admit(self, headers: Headers, *, secure: bool) -> Admitted | None:
        """Whoever sent these headers; None where they have to sign in first."""
        session = self.sessions.find(cookie(headers, cookie_name(COOKIE, secure=secure)))
        if session is not None:
            return await self._seated(session)
        sent = bearer(headers)
        if sent is None and not loopback(headers):
            return None
        return await self._unless_refused(sent)

    async def _seated(self, session: Session) -> Admitted | None:
        if self.sessions.due(session, CHECK_S):
            try:
                await self.desks.ask(session.credential)
            except RefusedError:
                self.sessions.end(session)
                return None
            except ApiUnavailableError:
                pass  # nothing new is shown while it is away
        desk = await self.desks.at(session.credential)
        if desk.refused:  # revoked or expired meanwhile
            self.sessions.end(session)
            return None
        return Admitted(desk, session)

    async def _unless_refused(self, credential: str | None) -> Admitted | None:
        """A desk for a credential, or for none; while the API is away it holds nothing."""
        key = hashlib.sha256((credential or "").encode()).digest()
        now_s = self._clock_s()
        if credential is None and now_s < self._refused_until_s:
            return None
        if now_s >= self._taken.get(key, now_s):
            self._taken.pop(key, None)
            try:
                await self.desks.ask(credential)
            except RefusedError:
                if credential is None:
                    self._refused_until_s = now_s + TAKEN_S
                return None
            except ApiUnavailableError:
                if credential is not None:
                    return None
            else:
                if len(self._taken) >= REMEMBERED:
                    self._taken.clear()
                self._taken[key] = now_s + TAKEN_S
        desk = await self.desks.at(credential)
        if desk.refused:
            self._taken.pop(key, None)
        return Admitted(desk, None)


class Guard:
    """Lets requests and websockets through to `app` for those whom `door` admits."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Any ASGI connection."""
        if scope["type"] == "http":
            await self._request(scope, receive, _with_headers(scope, send))
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if not same_origin(headers, needed=False):
            refusal: Response = PlainTextResponse("another origin", HTTPStatus.FORBIDDEN)
            await refusal(scope, receive, send)
            return
        if not public(scope["path"]):
            admitted = await self._door.admit(headers, secure=secure(scope))
            if admitted is None:
                await _sign_in_first(scope, headers)(scope, receive, send)
                return
            scope.setdefault("state", {})["admitted"] = admitted
        await self._app(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        admitted = (
            await self._door.admit(headers, secure=secure(scope))
            if same_origin(headers, needed=True)
            else None
        )
        if admitted is None:
            await receive()  # the handshake
            await send({"type": "websocket.close", "code": CLOSED})
            return
        sessions, session = self._door.sessions, admitted.session

        def alive() -> bool:
            if admitted.desk.refused or (session is not None and not sessions.alive(session)):
                return False
            if session is not None:
                sessions.touch(session)
            return True

        async def receive_while_alive() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and not alive():
                return {"type": "websocket.disconnect", "code": CLOSED}
            return message

        async def send_while_alive(message: Message) -> None:
            if message["type"] != "websocket.send" or alive():
                await send(message)

        admitted.desk.watchers += 1
        try:
            await self._app(scope, receive_while_alive, send_while_alive)
        finally:
            admitted.desk.watchers -= 1


def public(path: str) -> bool:
    """Whether anybody may ask for `path`."""
    if path.startswith(LIBRARY):
        return not any(part in path for part in PRIVATE_LIBRARY)
    return path.startswith(PUBLIC)


def same_origin(headers: Headers, *, needed: bool) -> bool:
    """Whether a page of this very host sent it; `needed`: a missing `Origin` is no yes."""
    origin = headers.get("origin")
    if origin is None:
        return not needed
    return urlsplit(origin).netloc == headers.get("host", "")


def secure(scope: Scope) -> bool:
    """Whether the browser speaks TLS, with us or with a proxy that says so."""
    return scope.get("scheme") in {"https", "wss"}


def cookie_name(name: str, *, secure: bool) -> str:
    """`__Host-` binds a cookie to this very host, but browsers take it over TLS only."""
    return f"__Host-{name}" if secure else name


def cookie(headers: Headers, name: str) -> str:
    """The value of a cookie, empty where there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


def loopback(headers: Headers) -> bool:
    """Whether the browser was told this machine: any site can let its own name point here."""
    try:
        return is_loopback(urlsplit(f"//{headers.get('host', '')}").hostname or "")
    except ValueError:
        return False


def bearer(headers: Headers) -> str | None:
    """The credential that a proxy sends along."""
    scheme, _, credential = headers.get("authorization", "").partition(" ")
    return credential.strip() or None if scheme.lower() == "bearer" else None


def local_path(wanted: str) -> str:
    """`wanted` where it is a page of ours, else the first page: nobody is sent elsewhere."""
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if is_ours and wanted.isprintable() else "/"


def _sign_in_first(scope: Scope, headers: Headers) -> Response:
    is_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
    if not is_page:
        return PlainTextResponse("sign in first", HTTPStatus.UNAUTHORIZED)
    query = scope.get("query_string", b"").decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"/signin?next={quote(wanted, safe='')}", HTTPStatus.SEE_OTHER)


def _with_headers(scope: Scope, send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            is_form = scope["path"].startswith("/signin")
            headers.setdefault("Content-Security-Policy", FORM_POLICY if is_form else POLICY)
            if secure(scope):
                headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            if not public(scope["path"]) or is_form:
                headers["Cache-Control"] = "no-store"
        await send(message)

    return sending
