"""Who gets through to the pages, by request and by websocket, and what forms insist on."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.datastructures import Headers
from starlette.websockets import WebSocket

from streams.serving.dashboard.desk import IDLE_S, Desks
from streams.serving.dashboard.door import signin
from streams.serving.dashboard.door.guard import (
    CHECK_S,
    TAKEN_S,
    Door,
    Guard,
    local_path,
    public,
    same_origin,
)
from streams.serving.dashboard.door.sessions import Sessions
from streams.serving.dashboard.door.signin import Attempts, router
from streams.serving.server import running
from tests.fake_api import ADA, ALICE, BOB, FakeApi

HTML = {"accept": "text/html"}


class House:
    """Pages of one line each behind the guard."""

    def __init__(self, api: FakeApi, api_url: str) -> None:
        self.api = api
        self.now_s = 1_000.0
        self.desks = Desks(api_url, lambda: self.now_s)
        self.sessions = Sessions(lambda: self.now_s)
        self.door = Door(self.desks, self.sessions, lambda: self.now_s)
        inner = FastAPI()
        inner.include_router(router(self.door, Attempts()))

        @inner.get("/")
        async def page(request: Request) -> dict[str, Any]:
            desk = request.state.admitted.desk
            await desk.refresh()
            while not desk.board.loaded and desk.board.trouble is None:
                await asyncio.sleep(0.01)
            return {"tenant": desk.me.tenant, "alerts": [one.id for one in desk.open_alerts or ()]}

        @inner.websocket("/ws")
        async def echo(socket: WebSocket) -> None:
            await socket.accept()
            async for text in socket.iter_text():
                await socket.send_text(text)

        self.app = Guard(inner, self.door)

    def browser(self, host: str = "http://pages") -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=host)

    async def sign_in(self, browser: httpx.AsyncClient, key: str, **more: str) -> httpx.Response:
        form = (await browser.get("/signin")).text
        found = re.search(r'name="token" value="([^"]+)"', form)
        assert found
        fields = {"token": found[1], "credential": key, "next": "/"} | more
        return await browser.post("/signin", data=fields)

    async def socket(self, headers: dict[str, str], messages: list[str]) -> list[dict[str, Any]]:
        """What the server sends on a websocket that says `messages` and leaves."""
        sent: list[dict[str, Any]] = []
        waiting = [
            {"type": "websocket.connect"},
            *({"type": "websocket.receive", "text": text} for text in messages),
            {"type": "websocket.disconnect", "code": 1000},
        ]

        async def receive() -> dict[str, Any]:
            return waiting.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "websocket",
            "scheme": "ws",
            "path": "/ws",
            "raw_path": b"/ws",
            "query_string": b"",
            "root_path": "",
            "headers": raw,
            "subprotocols": [],
            "asgi": {"version": "3.0"},
        }
        await self.app(scope, receive, send)
        return sent


@asynccontextmanager
async def house(*, open_access: bool = False) -> AsyncIterator[House]:
    api = FakeApi(open=open_access)
    async with running(api.app, "127.0.0.1", 0, option="-", before_drain=api.closing.set) as url:
        built = House(api, url)
        sweeping = asyncio.create_task(built.desks.run())
        await asyncio.sleep(0)
        try:
            yield built
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)


async def test_where_the_api_asks_for_a_credential_a_page_leads_to_the_form() -> None:
    async with house() as built, built.browser() as browser:
        answer = await browser.get("/", headers=HTML, params={"at": "1"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/signin?next=%2F%3Fat%3D1"
        assert (await browser.get("/")).status_code == 401  # no page: a chart's points
        assert built.desks._desks == {}


async def test_where_the_api_asks_for_none_nobody_signs_in() -> None:
    async with house(open_access=True) as built, built.browser("http://localhost") as browser:
        assert (await browser.get("/")).json()["tenant"] == "acme"


async def test_nobody_is_let_in_without_a_credential_by_a_name_that_somebody_pointed_here() -> None:
    async with house(open_access=True) as built, built.browser("http://evil.example") as browser:
        assert (await browser.get("/", headers=HTML)).status_code == 303


async def test_the_api_is_not_asked_without_a_credential_by_every_request() -> None:
    async with house() as built, built.browser("http://127.0.0.1") as browser:
        for _ in range(5):
            assert (await browser.get("/")).status_code == 401
        assert built.api.refusals == 1
        built.now_s += TAKEN_S
        await browser.get("/")
        assert built.api.refusals == 2


async def test_an_api_that_begins_to_ask_is_noticed() -> None:
    async with house(open_access=True) as built, built.browser("http://[::1]") as browser:
        assert (await browser.get("/", headers=HTML)).status_code == 200
        built.api.open = False
        built.now_s += TAKEN_S
        assert (await browser.get("/", headers=HTML)).status_code == 303


async def test_a_good_key_opens_a_session_and_stays_out_of_the_browser() -> None:
    async with house() as built, built.browser() as browser:
        answer = await built.sign_in(browser, ALICE)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        (given,) = [
            line
            for line in answer.headers.get_list("set-cookie")
            if line.startswith("affectstream-session=")
        ]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(given.split("; "))
        assert ALICE not in str(answer.headers)
        assert (await browser.get("/")).json() == {
            "tenant": "acme",
            "alerts": ["a-1", "a-2", "a-3"],
        }


async def test_over_tls_cookies_are_bound_to_the_host() -> None:
    async with house() as built, built.browser("https://pages") as browser:
        answer = await built.sign_in(browser, ALICE)
        cookies = answer.headers.get_list("set-cookie")
        assert any(line.startswith("__Host-affectstream-session=") for line in cookies)
        assert all("Secure" in line for line in cookies)
        assert "max-age" in answer.headers["strict-transport-security"]
        assert (await browser.get("/")).status_code == 200


@pytest.mark.parametrize("key", ["as_wrong", "", "käse", "a\nb"])
async def test_a_wrong_key_opens_nothing(key: str) -> None:
    async with house() as built, built.browser() as browser:
        answer = await built.sign_in(browser, key)
        assert answer.status_code == 401
        assert "does not take this key" in answer.text
        assert (await browser.get("/", headers=HTML)).status_code == 303


async def test_a_form_that_another_site_sends_opens_nothing() -> None:
    async with house() as built, built.browser() as browser:
        await browser.get("/signin")
        forged = await browser.post("/signin", data={"credential": ALICE, "token": "guessed"})
        assert forged.status_code == 403
        bare = await built.browser().post("/signin", data={"credential": ALICE, "token": ""})
        assert bare.status_code == 403
        elsewhere = await browser.post("/signin", data={}, headers={"origin": "http://evil"})
        assert elsewhere.status_code == 403


async def test_attempts_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house() as built, built.browser() as browser:
        for _ in range(signin.ONE_HOST.amount):
            assert (await built.sign_in(browser, "as_wrong")).status_code == 401
        assert (await built.sign_in(browser, ALICE)).status_code == 429


async def test_a_sign_in_leads_back_to_where_somebody_wanted_to_go_and_never_elsewhere() -> None:
    async with house() as built, built.browser() as browser:
        back = await built.sign_in(browser, ALICE, next="/alerts?x=1")
        assert back.headers["location"] == "/alerts?x=1"
        away = await built.sign_in(browser, ALICE, next="//evil.example/")
        assert away.headers["location"] == "/"


@pytest.mark.parametrize("path", ["https://evil", "//evil", "/\\evil", "", "/a\r\nb"])
def test_only_paths_of_ours_are_followed(path: str) -> None:
    assert local_path(path) == "/"


async def test_two_callers_never_share_a_desk() -> None:
    async with house() as built, built.browser() as one, built.browser() as two:
        await built.sign_in(one, ALICE)
        await built.sign_in(two, BOB)
        assert (await one.get("/")).json()["alerts"]
        assert (await two.get("/")).json() == {"tenant": "other", "alerts": []}
        assert (await one.get("/")).json()["tenant"] == "acme"
        assert len(built.desks._desks) == 2


async def test_signing_out_needs_the_token_of_the_session_and_ends_it() -> None:
    async with house() as built, built.browser() as browser:
        await built.sign_in(browser, ALICE)
        (session,) = built.sessions._known.values()
        assert (await browser.post("/signout", data={"token": "x"})).status_code == 403
        assert (await browser.get("/")).status_code == 200
        kept = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        out = await browser.post("/signout", data={"token": session.form_token})
        assert (out.status_code, out.headers["location"]) == (303, "/signin")
        again = await built.browser().get("/", headers=HTML | {"cookie": kept})
        assert again.status_code == 303


async def test_a_revoked_key_ends_its_session() -> None:
    async with house() as built, built.browser() as browser:
        await built.sign_in(browser, ALICE)
        del built.api.people[ALICE]
        built.now_s += CHECK_S
        assert (await browser.get("/", headers=HTML)).status_code == 303
        assert not built.sessions._known


async def test_a_proxy_may_send_the_credential_with_every_request() -> None:
    async with house() as built, built.browser() as browser:
        sent = {"authorization": f"Bearer {ADA}"}
        assert (await browser.get("/", headers=sent)).json()["tenant"] == "acme"
        wrong = {"authorization": "Bearer as_wrong"}
        assert (await browser.get("/", headers=wrong)).status_code == 401


async def test_while_the_api_is_away_nobody_is_taken_for_somebody() -> None:
    async with house() as built, built.browser("http://127.0.0.1") as browser:
        built.api.away = True
        assert (await browser.get("/")).json() == {"tenant": "", "alerts": []}
        assert (await built.sign_in(browser, ALICE)).status_code == 503
        sent = {"authorization": f"Bearer {ADA}"}
        assert (await browser.get("/", headers=sent)).status_code == 401


async def test_a_websocket_needs_a_session_and_a_page_of_this_host() -> None:
    async with house() as built, built.browser() as browser:
        await built.sign_in(browser, ALICE)
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        good = {"host": "pages", "origin": "http://pages", "cookie": cookies}
        assert [one["type"] for one in await built.socket(good, ["hello"])] == [
            "websocket.accept",
            "websocket.send",
        ]
        for wrong in (
            good | {"origin": "http://evil"},
            {name: value for name, value in good.items() if name != "origin"},
            {name: value for name, value in good.items() if name != "cookie"},
        ):
            assert await built.socket(wrong, ["hello"]) == [
                {"type": "websocket.close", "code": 1008}
            ]
        (session,) = built.sessions._known.values()
        assert built.sessions.alive(session)


async def test_a_websocket_falls_silent_when_its_session_ends() -> None:
    async with house() as built, built.browser() as browser:
        await built.sign_in(browser, ALICE)
        (session,) = built.sessions._known.values()
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        headers = {"host": "pages", "origin": "http://pages", "cookie": cookies}
        admit = built.door.admit

        async def ending(found: Headers, *, secure: bool) -> Any:
            admitted = await admit(found, secure=secure)
            session.ended = True
            return admitted

        built.door.admit = ending  # type: ignore[method-assign]
        sent = await built.socket(headers, ["hello"])
        assert [one["type"] for one in sent] == ["websocket.accept"]


async def test_every_answer_keeps_other_sites_out() -> None:
    async with house() as built, built.browser() as browser:
        form = await browser.get("/signin")
        await built.sign_in(browser, ALICE)
        page = await browser.get("/")
        for answer in (form, page):
            policy = answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy
            assert "http" not in policy.replace("https", "")
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["cache-control"] == "no-store"
        assert "unsafe" not in form.headers["content-security-policy"]


async def test_a_desk_that_nobody_uses_stops_reading() -> None:
    async with house() as built, built.browser() as browser:
        await built.sign_in(browser, ALICE)
        await browser.get("/")
        (desk,) = built.desks._desks.values()
        desk.watchers = 1
        built.now_s += IDLE_S
        await built.desks.sweep()
        assert built.desks._desks
        desk.watchers = 0
        built.now_s += IDLE_S
        await built.desks.sweep()
        assert not built.desks._desks


@pytest.mark.parametrize(
    ("path", "is_public"),
    [
        ("/", False),
        ("/alerts", False),
        ("/points/c-1/p-1", False),
        ("/_nicegui_ws/socket.io/", False),
        ("/_nicegui/3.18.0/static/nicegui.js", True),
        ("/_nicegui/client/abc/upload/1", False),
        ("/assets/pages.css", True),
        ("/signin", True),
        ("/healthz", True),
    ],
)
def test_only_what_holds_no_data_is_public(path: str, is_public: bool) -> None:  # noqa: FBT001
    assert public(path) is is_public


def test_the_origin_is_compared_with_its_port() -> None:
    headers = Headers({"host": "pages:8080", "origin": "http://pages:8081"})
    assert not same_origin(headers, needed=True)
    assert same_origin(Headers({"host": "pages:8080", "origin": "http://pages:8080"}), needed=True)
