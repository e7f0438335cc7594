"""Limits, bodies, headers, open access and the record of who looked at what."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Annotated, Any, cast

import httpx
import limits.storage.memory
import pytest
from fastapi import Body, FastAPI, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

import streams.serving.access.limits as our_limits
from storage import schema
from storage.audit import Entry, list_recorded
from storage.engine import transaction
from storage.errors import StoreUnavailableError
from storage.keys import keys_exist, revoke_key
from storage.results import ResultStore
from streams.serving.access import recorder
from streams.serving.access.bearer import Keys, bearer
from streams.serving.access.caller import Caller, Rank, Viewer
from streams.serving.access.guard import ASK_AGAIN_S, Guard
from streams.serving.access.limits import LimitError, Limits, neighbourhood, rate
from streams.serving.access.local import only_here, open_until_keys
from streams.serving.access.recorder import described
from streams.serving.problems import ProblemError
from tests.access import app_of, client_of, headers, new_key
from tests.scores import batch, distressed

STRANGER = {"Authorization": "Bearer as_" + "B" * 43}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Of the library that counts, moved by hand."""
    clock = SimpleNamespace(now_s=1_000.0, time=lambda: clock.now_s)
    monkeypatch.setattr(limits.storage.memory, "time", clock)
    monkeypatch.setattr(our_limits, "time", clock)
    return clock


# limits


async def test_a_key_waits_as_long_as_it_is_told_and_others_do_not(
    engine: AsyncEngine, clock: SimpleNamespace
) -> None:
    app = app_of(engine, bearer(Keys(engine)), limits=Limits("3/minute", "100/minute"))
    busy, calm = await new_key(engine), await new_key(engine)  # of one name
    async with client_of(app) as client:

        async def status(secret: str) -> int:
            return (await client.get("/v1/me", headers=headers(secret))).status_code

        assert [await status(busy.secret) for _ in range(3)] == [200] * 3
        clock.now_s += 20
        refused = await client.get("/v1/me", headers=headers(busy.secret))
        assert refused.status_code == 429
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.headers["Retry-After"] == "40"
        assert await status(calm.secret) == 200
        clock.now_s += 39
        assert await status(busy.secret) == 429
        clock.now_s += 1.1
        assert await status(busy.secret) == 200


async def test_an_address_that_guesses_is_not_looked_at_for_a_while(
    engine: AsyncEngine, clock: SimpleNamespace
) -> None:
    asked: list[str] = []

    async def counting(text: str) -> Any:
        asked.append(text)
        return await Keys(engine)(text)

    app = app_of(engine, bearer(counting), limits=Limits("100/minute", "2/minute"))
    new = await new_key(engine)
    async with client_of(app, client=("192.0.2.1", 1)) as client:
        guesses = [(await client.get("/v1/me", headers=STRANGER)).status_code for _ in range(4)]
        assert guesses == [401, 401, 429, 429]
        assert len(asked) == 2
        assert (await client.get("/healthz")).status_code == 200
        async with client_of(app, client=("192.0.2.2", 1)) as elsewhere:
            assert (await elsewhere.get("/v1/me", headers=headers(new.secret))).status_code == 200
        clock.now_s += 61
        assert (await client.get("/v1/me", headers=headers(new.secret))).status_code == 200


def test_a_household_counts_as_one_address() -> None:
    assert neighbourhood("2001:db8:1:2:3::4") == neighbourhood("2001:db8:1:2::9")
    assert neighbourhood("2001:db8:1:2::9") != neighbourhood("2001:db8:1:3::9")
    assert neighbourhood("192.0.2.1") == "192.0.2.1"
    assert neighbourhood("nowhere") == "nowhere"


def test_a_rate_that_is_none_is_refused_with_an_example() -> None:
    with pytest.raises(LimitError, match="3000/minute"):
        rate("many")


# bodies


async def test_bodies_above_the_limit_are_413_announced_or_not(engine: AsyncEngine) -> None:
    app: FastAPI = app_of(engine, only_here("acme"), body_limit_bytes=20)

    @app.post("/v1/echo")
    async def echo(caller: Viewer, value: Annotated[str, Body()]) -> str:
        return value

    async def pieces(value: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(value), 7):
            yield value[at : at + 7]

    fits, too_long = b'"' + b"x" * 18 + b'"', b'"' + b"x" * 19 + b'"'
    kind = {"Content-Type": "application/json"}
    async with client_of(app, "http://127.0.0.1:8000") as client:
        for content in (fits, pieces(fits)):
            response = await client.post("/v1/echo", content=content, headers=kind)
            assert response.json() == "x" * 18
        for content in (too_long, pieces(too_long)):
            response = await client.post("/v1/echo", content=content, headers=kind)
            assert response.status_code == 413
            assert response.headers["Content-Type"] == "application/problem+json"
            assert response.json()["detail"] == "The body is longer than 20 bytes."
        odd = await client.post("/v1/echo", headers=kind | {"Content-Length": "-1"})
        assert odd.status_code == 413


# headers


async def test_browsers_are_told_to_do_nothing_clever(engine: AsyncEngine) -> None:
    app = app_of(engine, only_here("acme"))
    async with client_of(app, "http://localhost") as client:
        response = await client.get("/v1/conversations", headers={"Origin": "http://localhost:1"})
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "private, no-cache"  # it has an ETag
        held = await client.get(
            "/v1/conversations", headers={"If-None-Match": response.headers["ETag"]}
        )
        assert (held.status_code, held.headers["Cache-Control"]) == (304, "private, no-cache")
        assert held.headers["X-Content-Type-Options"] == "nosniff"
        assert (await client.get("/v1/me")).headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in response.headers
        assert not [name for name in response.headers if name.startswith("access-control")]
        assert "Cache-Control" not in (await client.get("/healthz")).headers
    async with client_of(app, "https://localhost") as client:
        refused = await client.get("/v1/conversations", headers={"Host": "evil.example"})
        assert refused.status_code == 403
        assert refused.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert refused.headers["Cache-Control"] == "no-store"


# open access


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"Host": "127.0.0.1:8000"}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "127.9.9.9", "Origin": "http://127.0.0.1:8080"}, 200),
        ({"Host": "rebound.example:8000"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "localhost", "Origin": "https://evil.example"}, 403),
        ({"Host": "localhost", "Origin": "null"}, 403),
        ({"Host": "localhost", "X-Forwarded-For": "192.0.2.1"}, 403),
        ({"Host": "localhost", "Forwarded": "for=192.0.2.1"}, 403),
    ],
)
async def test_open_access_is_for_requests_made_here(
    sent: dict[str, str], status: int, engine: AsyncEngine
) -> None:
    async with client_of(app_of(engine, only_here("acme"))) as client:
        response = await client.get("/v1/me", headers=sent)
    assert response.status_code == status
    if status == 403:
        assert "affectstream keys create NAME --rank supervisor" in response.json()["detail"]


async def test_another_machine_has_no_open_access(engine: AsyncEngine) -> None:
    app = app_of(engine, only_here("acme"))
    async with client_of(app, "http://localhost", client=("192.0.2.1", 9)) as client:
        assert (await client.get("/v1/me")).status_code == 403


async def test_the_first_key_ends_open_access_for_good(engine: AsyncEngine) -> None:
    now = SimpleNamespace(s=0.0)
    looked: list[bool] = []

    async def exist() -> bool:
        looked.append(await keys_exist(engine))
        return looked[-1]

    authenticate = open_until_keys("acme", bearer(Keys(engine)), exist, lambda: now.s)
    async with client_of(app_of(engine, authenticate), "http://localhost") as client:
        assert (await client.get("/v1/me")).json()["name"] == "local"
        new = await new_key(engine)
        assert (await client.get("/v1/me")).status_code == 200  # looked less than a second ago
        now.s += 1
        assert (await client.get("/v1/me")).status_code == 401
        assert (await client.get("/v1/me", headers=headers(new.secret))).json()["name"] == "crm"
        await revoke_key(engine, "acme", new.key.id, 1)
        now.s += 10
        assert (await client.get("/v1/me")).status_code == 401
    assert looked == [False, True]


async def test_a_database_that_is_away_lets_nobody_in(engine: AsyncEngine) -> None:
    async def away() -> bool:
        raise StoreUnavailableError("away")

    authenticate = open_until_keys("acme", bearer(Keys(engine)), away)
    async with client_of(app_of(engine, authenticate), "http://localhost") as client:
        response = await client.get("/v1/me")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"


async def test_a_websocket_is_closed_before_it_opens() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def never(*_: Any) -> None:
        raise AssertionError

    await Guard(never, only_here("acme"))({"type": "websocket", "path": "/healthz"}, never, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


# credentials of what lasts


@pytest.mark.parametrize(
    ("becomes", "pieces"),
    [
        (Caller("acme", "ada", Rank.VIEWER), 4),
        (Caller("acme", "ada", Rank.ADMIN), 2),
        (ProblemError(401, "revoked"), 2),
        (ProblemError(403, "no rank any more"), 2),
        (ProblemError(503, "the provider is away"), 4),
        (StoreUnavailableError("away"), 4),
    ],
)
async def test_a_stream_ends_with_its_credentials(becomes: Any, pieces: int) -> None:
    now, asked = SimpleNamespace(s=0.0), []

    async def authenticate(_: Request) -> Caller:
        asked.append(now.s)
        if len(asked) == 1:
            return Caller("acme", "ada", Rank.VIEWER)
        if isinstance(becomes, Exception):
            raise becomes
        return cast("Caller", becomes)

    async def four() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x"
            now.s += ASK_AGAIN_S / 2

    app = FastAPI()
    app.add_middleware(Guard, authenticate=authenticate, clock_s=lambda: now.s)

    @app.get("/v1/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(four())

    async with client_of(app) as client:
        response = await client.get("/v1/stream")
    assert response.text == "x" * pieces
    assert asked[:2] == [0.0, ASK_AGAIN_S]


# the record


@pytest.mark.parametrize(
    ("asked", "entry"),
    [
        (("GET", "/v1/conversations/{conversation}", {"conversation": "c-1"}, {}),
         ("conversation.view", "c-1", {})),
        (("GET", "/v1/conversations/{conversation}/export", {"conversation": "c-1"},
          {"format": "csv", "cursor": "x", "from": "2026-01-01T00:00:00+01:00"}),
         ("conversation.export", "c-1", {"format": "csv", "from": "2026-01-01T00:00:00+01:00"})),
        (("GET", "/v1/live", {}, {"conversation": "c-1"}), ("conversation.live", "c-1", {})),
        (("GET", "/v1/alerts", {}, {"conversation": "c-1"}), ("conversation.alerts", "c-1", {})),
        (("GET", "/v1/alerts/{alert}", {"alert": "a-1"}, {}),
         ("alert.view", None, {"alert": "a-1"})),
        (("POST", "/v1/alerts/{id}/acknowledge", {"id": "a-1"}, {}),
         ("alert.acknowledge", None, {"id": "a-1"})),
        (("POST", "/v1/deliveries/{id}/{sink}/retry", {"id": "d", "sink": "webhook:crm"}, {}),
         ("delivery.retry", None, {"id": "d", "sink": "webhook:crm"})),
        (("PUT", "/v1/rules/{name}", {"name": "r"}, {}), ("rule.put", None, {"name": "r"})),
        (("POST", "/v1/rules/backtest", {}, {}), ("rule.backtest", None, {})),
        (("POST", "/v1/erasures", {}, {}), ("erasure.create", None, {})),
        (("DELETE", "/v1/keys/{key}", {"key": "k"}, {}), ("key.revoke", None, {"key": "k"})),
        (("GET", "/v1/conversations", {}, {"queue": "q"}), None),
        (("GET", "/v1/live", {}, {}), None),
        (("GET", "/v1/live", {}, {"conversation": "\x00"}), None),
        (("GET", "/v1/rules/{name}", {"name": "r"}, {}), None),
        (("GET", "/healthz", {}, {}), None),
    ],
)  # fmt: skip
def test_what_goes_on_record_follows_from_the_route(
    asked: tuple[str, str, dict[str, str], dict[str, str]], entry: Any
) -> None:
    assert described(*asked) == entry


class Watched:
    """An open API with one conversation in it, and its audit log."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.app = app_of(engine, only_here("acme"))
        self.client = client_of(self.app, "http://localhost")

    async def log(self) -> list[Entry]:
        """Oldest first."""
        found = await list_recorded(self.engine, "acme", limit=99)
        return [one.entry for one in reversed(found)]


@pytest.fixture
async def watched(engine: AsyncEngine) -> AsyncIterator[Watched]:
    await ResultStore(engine).commit([batch([distressed(0)], None)])
    watched = Watched(engine)
    yield watched
    await watched.client.aclose()


async def test_looking_is_on_record_once_a_minute_and_only_where_something_was_shown(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert (await watched.client.get("/v1/conversations/c-1")).status_code == 200
        await watched.client.get("/v1/conversations/c-1/scores?limit=1")
        await watched.client.get("/v1/conversations/c-1/scores?participant=p-1")
        assert (await watched.client.get("/v1/conversations/nobody")).status_code == 404
        await watched.client.get("/v1/conversations")
    assert await watched.log() == [
        Entry("acme", "local", "conversation.view", "c-1"),
        Entry("acme", "local", "conversation.scores", "c-1"),
        Entry("acme", "local", "conversation.scores", "c-1", {"participant": "p-1"}),
    ]
    monkeypatch.setattr(recorder, "REPEAT_S", 0.0)
    await watched.client.get("/v1/conversations/c-1")
    assert len(await watched.log()) == 4


async def test_the_memory_of_who_looked_is_bounded(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "REMEMBERED", 1)
    for path in ("", "/scores", ""):
        await watched.client.get(f"/v1/conversations/c-1{path}")
    assert len(await watched.log()) == 3  # the first was forgotten, so it is told again


async def test_what_is_done_is_on_record_each_time(watched: Watched) -> None:
    made = await watched.client.post("/v1/keys", json={"name": "x", "rank": "viewer"})
    key = made.json()
    for _ in range(2):
        await watched.client.delete(f"/v1/keys/{key['id']}")
    await watched.client.delete("/v1/keys/nothing")
    assert await watched.log() == [
        Entry(
            "acme", "local", "key.create", None, {"key": key["id"], "name": "x", "rank": "viewer"}
        ),
        Entry("acme", "local", "key.revoke", None, {"key": key["id"]}),
        Entry("acme", "local", "key.revoke", None, {"key": key["id"]}),
    ]
    assert key["key"] not in str(await watched.log())


async def test_work_on_an_alert_is_on_record_with_its_conversation(watched: Watched) -> None:
    app: FastAPI = watched.app

    @app.post("/v1/alerts/{alert_id}/wave")
    async def wave(caller: Viewer, alert_id: str) -> str:
        return alert_id

    row = {
        "tenant": "acme", "run": "live", "alert": "a-1", "conversation": "c-7",
        "participant": "p-1", "role": "customer", "queue": "q", "language": "en",
        "rule": "r", "rule_version": 0, "severity": "info", "metric": "distress",
        "state": "firing", "pending_ns": 0, "fired_ns": 1, "evidence": [], "sinks": [],
    }  # fmt: skip
    async with transaction(watched.engine) as connection:
        await connection.execute(insert(schema.alerts), [row])
    await watched.client.post("/v1/alerts/a-1/wave")
    assert await watched.log() == [Entry("acme", "local", "alert.wave", "c-7", {"alert_id": "a-1"})]


async def failing(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, failures: int
) -> Callable[[str, str], Awaitable[httpx.Response]]:
    """Asks while the next `failures` entries cannot be stored."""
    real, left = recorder.record, [failures]

    async def record(*arguments: Any) -> None:
        if left[0] > 0:
            left[0] -= 1
            raise StoreUnavailableError("away")
        await real(*arguments)

    monkeypatch.setattr(recorder, "record", record)
    monkeypatch.setattr(recorder, "PAUSES_S", (0.0, 0.0))

    async def ask(method: str, path: str) -> httpx.Response:
        return await watched.client.request(method, path)

    return ask


async def test_nothing_is_shown_that_cannot_be_put_on_record(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = await failing(watched, monkeypatch, 3)
    response = await ask("GET", "/v1/conversations/c-1")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert "nothing is shown" in response.json()["detail"]
    assert "participants" not in response.text
    assert (await ask("GET", "/v1/conversations/c-1")).status_code == 200
    assert len(await watched.log()) == 1


async def test_a_write_that_cannot_be_put_on_record_says_that_it_was_done(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await watched.client.post("/v1/keys", json={"name": "x", "rank": "viewer"})
    ask = await failing(watched, monkeypatch, 3)
    response = await ask("DELETE", f"/v1/keys/{made.json()['id']}")
    assert response.status_code == 503
    assert "It was done" in response.json()["detail"]


async def test_an_entry_is_tried_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = await failing(watched, monkeypatch, 2)
    assert (await ask("GET", "/v1/conversations/c-1")).status_code == 200
    assert len(await watched.log()) == 1


async def test_the_audit_log_is_for_admins_paged_and_filtered(engine: AsyncEngine) -> None:
    app = app_of(engine, bearer(Keys(engine)))
    await ResultStore(engine).commit([batch([distressed(0)], None)])
    admin = await new_key(engine, Rank.ADMIN, name="root")
    async with client_of(app) as client:
        for name in ("ada", "bob"):
            one = await new_key(engine, name=name)
            await client.get("/v1/conversations/c-1", headers=headers(one.secret))
            assert (await client.get("/v1/audit", headers=headers(one.secret))).status_code == 403

        async def page(**query: Any) -> Any:
            response = await client.get("/v1/audit", params=query, headers=headers(admin.secret))
            assert response.status_code == 200, response.text
            return response.json()

        first = await page(limit=1)
        second = await page(limit=1, cursor=first["next"])
        assert [one["actor"] for one in first["items"] + second["items"]] == ["bob", "ada"]
        assert second["next"] is None
        [one] = (await page(actor="ada"))["items"]
        assert (one["action"], one["conversation"]) == ("conversation.view", "c-1")
        assert (await page(actor="nobody"))["items"] == []
        # looking at the log of one conversation is looking at it
        await page(conversation="c-1")
        newest = (await page(limit=1))["items"][0]
        assert (newest["actor"], newest["action"]) == ("root", "conversation.audit")


async def test_a_problem_names_its_path_as_a_url_does(watched: Watched) -> None:
    response = await watched.client.delete("/v1/keys/%C2%84")
    assert response.status_code == 422
    assert response.json()["instance"] == "/v1/keys/%C2%84"


# keys over the API


async def test_a_key_made_over_the_api_is_shown_once_and_works(engine: AsyncEngine) -> None:
    app = app_of(engine, bearer(Keys(engine)))
    admin = await new_key(engine, Rank.ADMIN, name="root")
    other = await new_key(engine, Rank.ADMIN, tenant="rival")
    async with client_of(app) as client:
        client.headers.update(headers(admin.secret))
        wish = {"name": "crm", "rank": "viewer", "expires": "2999-01-01T00:00:00Z"}
        made = await client.post("/v1/keys", json=wish)
        assert made.status_code == 201
        body = made.json()
        assert body["expires"] == "2262-04-11T23:47:16.854775807Z"  # what a column holds
        assert body["scopes"] == ["read", "alerts", "rules", "privacy", "keys"]
        assert body["created_by"] == "root"
        me = await client.get("/v1/me", headers=headers(body["key"]))
        assert (me.json()["name"], me.json()["rank"]) == ("crm", "viewer")
        listed = await client.get("/v1/keys")
        assert {one["name"] for one in listed.json()["items"]} == {"crm", "root"}
        assert body["key"] not in listed.text
        path = f"/v1/keys/{body['id']}"
        assert (await client.delete(path, headers=headers(other.secret))).status_code == 404
        assert (await client.delete(path)).status_code == 204
        assert (await client.get("/v1/me", headers=headers(body["key"]))).status_code == 401


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"name": "x", "rank": "king"}, 422),
        ({"name": "", "rank": "viewer"}, 422),
        ({"name": "a\nb", "rank": "viewer"}, 422),
        ({"name": 5, "rank": "viewer"}, 422),
        ({"name": "x"}, 422),
        ({"name": "x", "rank": "viewer", "scopes": []}, 422),
        ({"name": "x", "rank": "viewer", "colour": "red"}, 422),
        ({"name": "x", "rank": "viewer", "expires": "2020-01-01T00:00:00Z"}, 422),
        ({"name": "x", "rank": "viewer", "expires": "2999-01-01T00:00:00"}, 422),
        ({"name": "x", "rank": "viewer", "expires": 99_999_999_999}, 422),
        ({"name": "x", "rank": "viewer", "expires": "99999999999"}, 422),
        ({"name": "\ud800", "rank": "viewer"}, 422),
        ({"name": "x", "rank": "viewer", "expires": None}, 201),
        ({"name": "x", "rank": "viewer", "scopes": "read"}, 422),
        ([], 422),
        ({"name": "x", "rank": "viewer", "scopes": ["metrics"]}, 403),
        ({"name": "x", "rank": "admin", "scopes": ["keys", "read"]}, 201),
        ({"name": "x", "rank": "admin"}, 201),
    ],
)
async def test_nobody_hands_on_what_they_do_not_have(
    wish: Any, status: int, engine: AsyncEngine
) -> None:
    narrow = await new_key(engine, Rank.ADMIN, scopes=["keys", "read"])
    async with client_of(app_of(engine, bearer(Keys(engine)))) as client:
        client.headers.update({"Content-Type": "application/json"} | headers(narrow.secret))
        response = await client.post("/v1/keys", content=json.dumps(wish))
    assert response.status_code == status, response.text
    if status == 201:
        assert set(response.json()["scopes"]) == {"read", "keys"}


async def test_a_stream_passes_every_layer_unbuffered_and_is_on_record(watched: Watched) -> None:
    got, first = bytearray(), asyncio.Event()

    async def receive() -> Any:
        await first.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        got.extend(message.get("body", b""))
        if b"event: ready" in got:
            first.set()

    scope = {
        "type": "http", "method": "GET", "path": "/v1/live", "scheme": "http",
        "raw_path": b"/v1/live", "query_string": b"conversation=c-1", "root_path": "",
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "http_version": "1.1",
        "server": ("localhost", 80), "asgi": {"version": "3.0"},
    }  # fmt: skip
    async with watched.app.router.lifespan_context(watched.app), asyncio.timeout(5):
        await watched.app(scope, receive, send)
    assert [one.action for one in await watched.log()] == ["conversation.live"]


async def test_a_crash_is_nobodys_entry(watched: Watched) -> None:
    async with transaction(watched.engine) as connection:
        await connection.execute(text("drop table window_scores"))
    assert (await watched.client.get("/v1/conversations/c-1")).status_code == 500
    assert await watched.log() == []
