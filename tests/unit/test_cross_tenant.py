"""Every route of the API, asked by one tenant for what is another's: nothing of it comes out.

Routes come from the application, so a new one is included by itself. It fails here until its
path, its query and its body have examples below, and until the other tenant's own question
shows that there is something to leak.
"""

import asyncio
import io
import json
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from pyarrow import parquet
from sqlalchemy import Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time, to_json
from storage import schema
from storage.audit import Entry, record
from storage.digests import Digests
from storage.engine import open_engine, snapshot, transaction
from storage.erasure import Eraser
from storage.moment_search import MomentSearch
from storage.results import ResultStore
from storage.upgrade import upgrade
from streams.serving.access.bearer import Keys, bearer
from streams.serving.access.caller import Rank
from streams.serving.access.guard import OPEN
from streams.serving.access.routes import Asked, asked
from streams.serving.access.scopes import EVERY_SCOPE, needed
from streams.serving.exports.formats import WRITTEN, Format
from streams.serving.finder import Finder
from tests.access import app_of, client_of, headers, new_key
from tests.moments import SPACE, FakeSpace, noise, searchable
from tests.scores import START_NS, distressed

MINE, THEIRS = "acme", "zebra"
MARK = "zebra"
"""Stands in everything that belongs to the other tenant."""
DIGESTS = Digests("secret of the deployment")
STORES_NOTHING = {"/v1/rules/backtest"}
OUTSIDE = OPEN | {"/metrics"}
"""Not of any tenant: `test_what_a_platform_asks_is_open` and scopes say who gets them."""
ALERT = "5eb7a000-0000-5000-8000-00000000000a"
OUTBOX = "5eb7a000-0000-5000-8000-00000000000b"
ERASURE = "5eb7a000-0000-5000-8000-00000000000c"
NOBODYS = "5eb7a000-0000-5000-8000-00000000000f"
PATHS = {
    # parameter of a path: an id of the other tenant
    "conversation": "zebra-call",
    "alert": ALERT,
    "name": "zebra-rule",
    "key": "zebra-key",
    "message": OUTBOX,
    "sink": "webhook:zebra",
}
QUERIES = {
    # parameter of a query: what of the other tenant is asked for by it
    "conversation": "zebra-call",
    "participant": "zebra-party",
    "queue": "zebra-queue",
    "actor": "zebra-actor",
    "rule": "zebra-rule",
    "run": "live",
}
NEUTRAL = {
    *("state", "min_distress", "from", "to", "resolution", "cursor", "limit", "format"),
    *("severity", "acknowledged", "allowed", "dead", "group", "bucket", "role", "emotion", "q"),
    "per_conversation",
}
"""Parameters that name nothing of anybody. Each word that one may be is asked for."""
NEEDED = {"from": "2025-11-24T00:00:00Z", "to": "2025-11-25T00:00:00Z", "q": "calm"}
"""Sent wherever a route has them: what both tenants have lies in between."""
RULE = {
    "metric": "distress", "enter": 0.6, "exit": 0.4, "for_s": 5, "keep_firing_for_s": 5,
    "cooldown_s": 0, "min_speech": 0.0, "severity": "info", "match": {}, "notify": [],
    "summary": "x",
}  # fmt: skip
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/keys"): {"name": "new", "rank": "viewer"},
    ("PUT", "/v1/rules/{name}"): RULE,
    ("POST", "/v1/rules/backtest"): {"rule": RULE, "queue": "zebra-queue"}
    | {name: NEEDED[name] for name in ("from", "to")},
    ("POST", "/v1/erasures"): {"conversation": "zebra-call"},
    ("PUT", "/v1/labels/{name}"): {"prompts": ["calm and resigned"]},
    ("POST", "/v1/labels/{name}/judgements"): {
        "conversation": "zebra-call",
        "participant": "zebra-party",
        "start": format_time(START_NS),
        "holds": False,
    },
}
OTHER_BODIES: dict[tuple[str, str], Sequence[Any]] = {
    ("POST", "/v1/erasures"): ({"conversation": "c-1"}, {"subject": "zebra-subject"}),
    ("POST", "/v1/labels/{name}/judgements"): (
        {
            "conversation": "c-1",
            "participant": "zebra-party",
            "start": format_time(START_NS),
            "holds": False,
        },
    ),
}
"""Further bodies that name what is the other tenant's."""
BODIES_ENDING = {
    "/acknowledge": {"note": "x"},
    "/snooze": {"minutes": 5},
    "/verdict": {"verdict": "right", "note": "x"},
}
COMMON: dict[str, Any] = {
    "tenant": THEIRS, "conversation": "zebra-call", "participant": "zebra-party", "run": "live",
    "queue": "zebra-queue", "language": "zebra", "role": "customer", "alert": ALERT,
    "rule": "zebra-rule", "severity": "critical", "metric": "distress", "modality": "text",
}  # fmt: skip
FACTS = {"role": "customer", "region": "zebra-region", "purpose": "zebra", "notice": "yes",
         "consent": "yes"}  # fmt: skip
ROWS: dict[str, dict[str, Any]] = {
    # tables that scores do not fill, and what in them has a meaning
    "rules": {"name": "zebra-rule", "version": 1, "valid_from_ns": 0, "body": RULE},
    "alerts": {
        "state": "firing", "rule_version": 1, "evidence": [], "sinks": ["webhook:zebra"],
        "resolved_ns": None, "reason": None, "acknowledged_ns": None, "acknowledged_by": None,
        "peak": 0.9, "verdict": "right",
    },
    "alert_events": {"state": "firing", "rule_version": 1, "evidence": [], "reason": None},
    "policy_decisions": {"reason": "zebra-reason", "allowed": False, "facts": FACTS},
    "consents": {"consent": "yes", "notice": "yes", "deleted_windows": 0},
    "erasures": {"erasure": ERASURE, "kind": "conversation", "receipt": {
        "id": ERASURE, "kind": "conversation", "at": "2025-11-24T16:00:00Z",
        "by": "zebra-actor", "conversations": 1, "rows": {}, "keys": 0,
        "kafka_until": "2025-11-25T16:00:00Z"}},
    "tombstones": {},
    "utterances": {"text": "zebra words", "confidence": 0.5},
    "own_labels": {"label": "zebra-rule", "prompts": ["zebra, striped"]},
    "label_judgements": {"label": "zebra-rule", "holds": True},
    "api_keys": {
        "key_id": "zebra-key", "rank": "viewer", "scopes": ["read"], "revoked_ns": None,
        "expires_ns": None, "used_ns": None,
    },
    "outbox": {"id": OUTBOX, "kind": "score", "payload": b'{"conversation":"zebra-call"}'},
    "deliveries": {"outbox_id": OUTBOX, "sink": "webhook:zebra", "attempts": 3, "dead": True},
}  # fmt: skip
BY_STORES = {
    *("conversations", "participants", "progress", "window_scores", "window_evidence"),
    *("rollups", "feed", "audit_log", "moments"),
}
"""Tables that `fill` fills as the program does."""


def whole_app(engine: AsyncEngine) -> FastAPI:
    """Every route, with keys."""
    eraser = Eraser(engine, digests=DIGESTS)
    finder = Finder(FakeSpace(), MomentSearch(engine, SPACE))
    app: FastAPI = app_of(engine, bearer(Keys(engine)), eraser=eraser, finder=finder)
    return app


BARE = whole_app(open_engine("sqlite+aiosqlite://"))
"""To look at: it asks no database."""
DOCUMENT = BARE.openapi()
ROUTES = [one for one in asked(BARE) if one.path not in OUTSIDE and one.method != "HEAD"]


def each(routes: Iterable[Asked]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("route", routes, ids=lambda one: f"{one.method} {one.path}")


every_route = each(ROUTES)
every_read = each([one for one in ROUTES if one.method == "GET"])
every_write = each([one for one in ROUTES if one.method != "GET"])


def filled(table: Table) -> dict[str, Any]:
    """A row of the other tenant: what `COMMON` and `ROWS` do not say is made up by type."""
    made_up: dict[type, Any] = {
        str: f"{MARK}-made-up", int: START_NS, float: 0.5, bool: False, bytes: b"{}", object: {},
    }  # fmt: skip
    row = {column.name: made_up[column.type.python_type] for column in table.columns}
    return row | {name: value for name, value in COMMON.items() if name in row} | ROWS[table.name]


async def fill(engine: AsyncEngine) -> None:
    """Both tenants: a conversation of one id in both, and everything else of the other."""
    for tenant, conversation, party, queue in (
        (THEIRS, "c-1", "zebra-party", "zebra-queue"),
        (THEIRS, "zebra-call", "zebra-party", "zebra-queue"),
        (MINE, "c-1", "p-1", "billing"),  # last, so that a stream of it has passed the others
    ):
        score = msgspec.structs.replace(
            distressed(0, conversation=conversation, participant=party), tenant=tenant
        )
        stored = searchable([score], [noise(len(tenant))], queue=queue)
        digest = DIGESTS.subject(tenant, "zebra-subject")  # one name, a digest for each tenant
        who = tuple(replace(one, subject=digest) for one in stored.conversation.participants)
        stored = replace(stored, conversation=replace(stored.conversation, participants=who))
        assert not (await ResultStore(engine).commit([stored])).failed
        row = {
            "tenant": tenant, "conversation": conversation, "kind": "score",
            "payload": to_json(score), "stored_ns": time.time_ns(),
        }  # fmt: skip
        async with transaction(engine) as connection:
            await connection.execute(insert(schema.feed), [row])
    await record(engine, Entry(THEIRS, "zebra-actor", "conversation.view", "zebra-call"), 1)
    async with transaction(engine) as connection:
        for table in schema.metadata.sorted_tables:
            if table.name in ROWS:
                rows = [filled(table)]
                if "conversation" in table.primary_key.columns:
                    # what a question for the asker's own would find, were it not for the tenant
                    rows.append(rows[0] | {"conversation": "c-1"})
                await connection.execute(insert(table), rows)


async def everything_of(engine: AsyncEngine, tenant: str) -> dict[str, list[str]]:
    """Every row of a tenant in every table."""
    rows = {}
    async with snapshot(engine) as connection:
        for table in schema.metadata.sorted_tables:
            query = select(table).where(table.c.tenant == tenant)
            rows[table.name] = sorted(str(row) for row in await connection.execute(query))
    return rows


class Bench:
    """The API, with two tenants in it and an administrator of each."""

    def __init__(self, engine: AsyncEngine, app: FastAPI, mine: str, theirs: str) -> None:
        self.engine = engine
        self.app = app
        self.mine, self.theirs = headers(mine), headers(theirs)

    def questions(self, route: Asked) -> Iterator[tuple[str, dict[str, str]]]:
        """Path and query of each way to ask `route` for what is the other tenant's."""
        described = DOCUMENT["paths"][route.path][route.method.lower()]
        parameters = described.get("parameters", [])
        path = route.path
        for name in re.findall(r"{(\w+)}", path):
            assert name in PATHS, f"{path}: PATHS has no example of {name}"
            path = path.replace(f"{{{name}}}", quote(PATHS[name]))
        query = [one for one in parameters if one["in"] == "query"]
        unknown = {one["name"] for one in query} - set(QUERIES) - NEUTRAL
        assert not unknown, f"{route.path}: neither QUERIES nor NEUTRAL has {sorted(unknown)}"
        needed = {one["name"]: NEEDED[one["name"]] for one in query if one["name"] in NEEDED}
        if self.streams(route):  # what comes to none of them never ends one
            yield path, {}
            yield path, {"conversation": "c-1"}  # both have one of this id
            return
        paths = [path]
        if "{conversation}" in route.path:
            paths.append(path.replace("zebra-call", "c-1"))
        for place in paths:
            yield place, needed
            for one in query:
                if one["name"] in QUERIES:
                    yield place, needed | {one["name"]: QUERIES[one["name"]]}
                for word in self.words(one["schema"]):
                    yield place, needed | {one["name"]: word}

    def words(self, schema: Mapping[str, Any]) -> Iterator[str]:
        """What a parameter may be, where those are some words."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            yield from self.words(DOCUMENT["components"]["schemas"][name])
        for part in schema.get("anyOf", ()):
            yield from self.words(part)
        yield from schema.get("enum", ())

    def body(self, route: Asked) -> Any:
        """What a request to `route` carries; None for nothing."""
        described = DOCUMENT["paths"][route.path][route.method.lower()]
        if "requestBody" not in described:
            return None
        found = BODIES.get((route.method, route.path))
        for ending, body in BODIES_ENDING.items():
            found = body if route.path.endswith(ending) else found
        assert found is not None, f"BODIES has no example of {route.method} {route.path}"
        return found

    def streams(self, route: Asked) -> bool:
        answers = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
        return "text/event-stream" in answers.get("200", {}).get("content", {})

    def bodies(self, route: Asked) -> Iterator[Any]:
        """Every body that names what is the other tenant's."""
        yield self.body(route)
        yield from OTHER_BODIES.get((route.method, route.path), ())

    async def ask(
        self,
        route: Asked,
        path: str,
        query: dict[str, str],
        who: Mapping[str, str],
        body: Any = None,
    ) -> httpx.Response:
        if self.streams(route) and who:
            return await self._stream(path, query, who)
        body = self.body(route) if body is None else body
        async with client_of(self.app) as client:
            return await client.request(route.method, path, params=query, json=body, headers=who)

    async def _stream(
        self, path: str, query: dict[str, str], who: Mapping[str, str]
    ) -> httpx.Response:
        """What a stream says from the first event on, until it has said all."""
        own = self.mine if who is self.mine else self.theirs
        last = b"p-1" if own is self.mine else b"zebra-call"
        got, enough, started = bytearray(), asyncio.Event(), {}

        async def receive() -> Any:
            await enough.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            got.extend(message.get("body", b""))
            if b"event: ready" in got and last in got:
                enough.set()

        given = {**who, "Last-Event-ID": "0"}
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
            "query_string": urlencode(query).encode(), "scheme": "http", "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in given.items()],
            "client": ("127.0.0.1", 1), "server": ("api", 80), "http_version": "1.1",
            "asgi": {"version": "3.0"},
        }  # fmt: skip
        engine = open_engine(self.engine.url.render_as_string(hide_password=False))
        app = whole_app(engine)  # a feed runs once
        try:
            async with app.router.lifespan_context(app), asyncio.timeout(10):
                await app(scope, receive, send)
        finally:
            await engine.dispose()
        return httpx.Response(started["status"], headers=started["headers"], content=bytes(got))


@dataclass(frozen=True)
class Prepared:
    """A database with both tenants, to copy, and the keys of their administrators."""

    path: Path
    work: Path
    """Where a copy lies while a test runs."""
    engine: AsyncEngine
    """Of the copy."""
    app: FastAPI
    """Made once: making it takes longer than most questions to it."""
    mine: str
    theirs: str


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    path = tmp_path_factory.mktemp("tenants") / "two.db"

    async def prepare() -> Prepared:
        engine = open_engine(f"sqlite+aiosqlite:///{path}")
        try:
            await upgrade(engine)
            await fill(engine)
            mine = await new_key(engine, Rank.ADMIN, tenant=MINE, name="me")
            theirs = await new_key(engine, Rank.ADMIN, tenant=THEIRS, name="zebra-crm")
        finally:
            await engine.dispose()
        work = path.with_name("copy.db")
        copy = open_engine(f"sqlite+aiosqlite:///{work}")
        return Prepared(path, work, copy, whole_app(copy), mine.secret, theirs.secret)

    return asyncio.run(prepare())


@pytest.fixture
async def bench(prepared: Prepared) -> AsyncIterator[Bench]:
    for behind in ("-wal", "-shm"):  # of the copy before, which this one must not read
        prepared.work.with_name(prepared.work.name + behind).unlink(missing_ok=True)
    prepared.work.unlink(missing_ok=True)
    shutil.copy(prepared.path, prepared.work)
    try:
        yield Bench(prepared.engine, prepared.app, prepared.mine, prepared.theirs)
    finally:
        await prepared.engine.dispose()  # it opens again for the next


def said(response: httpx.Response, sent: Iterable[str] = ()) -> str:
    """Everything in an answer but what the question said itself."""
    kind = response.headers.get("content-type", "")
    if kind == WRITTEN[Format.PARQUET].media_type:
        text = str(parquet.read_table(io.BytesIO(response.content)).to_pylist())
    else:
        text = response.text
    if kind == "application/problem+json":
        body = response.json()
        del body["instance"]
        text = json.dumps(body)
    text += str(response.headers)
    for value in sorted(sent, key=len, reverse=True):
        text = text.replace(value, "")
    return text


def test_every_table_of_a_tenant_is_filled() -> None:
    tables = {table.name for table in schema.metadata.sorted_tables}
    assert tables == BY_STORES | set(ROWS)
    assert all("tenant" in table.c for table in schema.metadata.sorted_tables)


def test_every_route_states_a_rank() -> None:
    assert ROUTES
    assert [one for one in ROUTES if one.rank is None] == []


def test_every_route_belongs_to_a_scope() -> None:
    """Only credentials with all of them reach one that `scopes.py` does not list."""
    assert [one for one in ROUTES if needed(one.method, one.path) == EVERY_SCOPE] == []


@every_route
async def test_no_byte_of_another_tenant_comes_out_and_nothing_of_it_changes(
    route: Asked, bench: Bench
) -> None:
    before = await everything_of(bench.engine, THEIRS)
    for path, query in bench.questions(route):
        for body in bench.bodies(route):
            response = await bench.ask(route, path, query, bench.mine, body)
            assert response.status_code < 500, response.text
            sent = {*query.values(), *path.split("/"), *strings(body)}
            assert MARK not in said(response, sent), (path, query, response.text)
    assert await everything_of(bench.engine, THEIRS) == before


@every_route
async def test_what_belongs_to_another_is_answered_like_what_does_not_exist(
    route: Asked, bench: Bench
) -> None:
    def unknown(text: str) -> str:
        for one in (ALERT, OUTBOX):
            text = text.replace(one, NOBODYS)
        return text.replace(MARK, "nobody")

    for path, query in bench.questions(route):
        if "c-1" in {*path.split("/"), *query.values()}:
            continue  # both have one
        statuses = []
        for change in (str, unknown):
            named = {name: change(value) for name, value in query.items()}
            body = json.loads(change(json.dumps(bench.body(route))))
            answer = await bench.ask(route, change(path), named, bench.mine, body)
            statuses.append(answer.status_code)
        assert statuses[0] == statuses[1], (path, query)


OF_NOW = ("now", "since", "delay", "delay_s", "oldest_s", "used", "at")
"""Fields that differ from one question to the next of the same."""


def lasting(value: Any) -> Any:
    """A JSON value without `OF_NOW`."""
    if isinstance(value, dict):
        return {name: lasting(inner) for name, inner in value.items() if name not in OF_NOW}
    return [lasting(inner) for inner in value] if isinstance(value, list) else value


@every_read
async def test_answers_are_the_same_where_the_other_tenant_is_not_there(
    route: Asked, bench: Bench
) -> None:
    """Not a count, a mean or an ETag has anything of them."""
    if bench.streams(route):
        return

    async def answers() -> list[Any]:
        found = []
        for path, query in bench.questions(route):
            response = await bench.ask(route, path, query, bench.mine)
            json_ = response.headers.get("content-type") == "application/json"
            shown = lasting(response.json()) if json_ else response.content
            etag = None if json_ and "/scores" not in path else response.headers.get("etag")
            found.append((response.status_code, shown, etag))
        return found

    await answers()  # what is looked at for the first time goes on record
    together = await answers()
    async with transaction(bench.engine) as connection:
        for table in reversed(schema.metadata.sorted_tables):
            await connection.execute(delete(table).where(table.c.tenant == THEIRS))
    assert await answers() == together


@every_read
async def test_there_is_something_to_leak(route: Asked, bench: Bench) -> None:
    """The same questions by their owner: else the tests before could not fail."""
    formats = 0
    for number, (path, query) in enumerate(bench.questions(route)):
        if number and "format" not in query:
            continue
        formats += "format" in query
        response = await bench.ask(route, path, query, bench.theirs)
        assert response.status_code == 200, response.text
        assert MARK in said(response, {*query.values(), *path.split("/")}), response.text
    assert formats == (2 * len(Format) if route.path.endswith("/export") else 0)


@every_write
async def test_there_is_something_to_change(route: Asked, bench: Bench) -> None:
    """The same writes by their owner are done: else rows that stay would show nothing."""
    for body in bench.bodies(route):
        before = await everything_of(bench.engine, THEIRS)
        path, query = next(bench.questions(route))
        response = await bench.ask(route, path, query, bench.theirs, body)
        assert response.status_code < 300, response.text
        after = await everything_of(bench.engine, THEIRS)
        changed = {table for table in after if after[table] != before[table]}
        if route.path not in STORES_NOTHING:
            assert changed - {"audit_log", "api_keys"} or "/keys" in route.path
        assert changed & {"audit_log", "erasures"}


async def test_a_rule_of_one_name_is_of_each_tenant_by_itself(bench: Bench) -> None:
    async with client_of(bench.app) as client:

        async def ask(method: str, who: Mapping[str, str], **more: Any) -> httpx.Response:
            return await client.request(
                method, "/v1/rules/zebra-rule", headers={**who, **more.pop("given", {})}, **more
            )

        theirs = (await ask("GET", bench.theirs)).json()
        changed = RULE | {"enter": 0.9, "summary": "y"}
        refused = await ask("PUT", bench.mine, json=changed, given={"If-Match": '"1"'})
        assert refused.status_code == 412
        assert (await ask("DELETE", bench.mine)).status_code == 404
        written = await ask("PUT", bench.mine, json=changed)
        assert (written.status_code, written.json()["version"]) == (200, 1)
        assert (await ask("GET", bench.theirs)).json() == theirs
        assert (await ask("DELETE", bench.mine)).status_code == 204
        assert (await ask("GET", bench.theirs)).json() == theirs


async def test_an_erasure_takes_what_is_of_its_tenant_and_nothing_else(bench: Bench) -> None:
    theirs = await everything_of(bench.engine, THEIRS)
    async with client_of(bench.app) as client:
        for body, conversations in (
            ({"conversation": "zebra-call"}, 1),  # nobody's here, but it may still come
            ({"subject": "zebra-subject"}, 1),
            ({"subject": "zebra-subject"}, 0),
        ):
            done = await client.post("/v1/erasures", json=body, headers=bench.mine)
            assert done.status_code == 201
            receipt = done.json()
            assert receipt["conversations"] == conversations
            assert (receipt["rows"].get("window_scores", 0) > 0) == (
                "subject" in body and conversations > 0
            )
        gone = await client.get("/v1/conversations/c-1", headers=bench.mine)
        kept = await client.get("/v1/conversations/c-1", headers=bench.theirs)
    assert (gone.status_code, kept.status_code) == (404, 200)
    after = await everything_of(bench.engine, THEIRS)
    for table in ("api_keys", "audit_log"):  # who just looked
        del theirs[table], after[table]
    assert after == theirs


@every_route
async def test_strangers_and_lower_ranks_get_nothing(route: Asked, bench: Bench) -> None:
    low = headers((await new_key(bench.engine, Rank.VIEWER, scopes=sorted(EVERY_SCOPE))).secret)
    before = await everything_of(bench.engine, MINE)
    path, query = next(bench.questions(route))
    stranger = await bench.ask(route, path, query, {})
    assert stranger.status_code == 401
    assert stranger.headers["WWW-Authenticate"].startswith("Bearer")
    if route.rank is not Rank.VIEWER:
        refused = await bench.ask(route, path, query, low)
        assert refused.status_code == 403
        assert f"needs the rank {route.rank}" in refused.json()["detail"]
        after = await everything_of(bench.engine, MINE)
        del before["api_keys"], after["api_keys"]  # when the key was used
        assert after == before


@every_route
def test_the_document_says_who_may_ask(route: Asked) -> None:
    described = DOCUMENT["paths"][route.path][route.method.lower()]
    assert described["x-rank"] == route.rank
    assert [set(one) for one in described["security"]] == [{"key"}, {"token"}]
    assert {"401", "403", "429", "503"} <= set(described["responses"])
    assert ("413" in described["responses"]) == ("requestBody" in described)
    assert set(DOCUMENT["components"]["securitySchemes"]) == {"key", "token"}


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
