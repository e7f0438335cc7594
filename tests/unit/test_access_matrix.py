"""Every route, asked with every kind of credentials that open nothing, and what stays on record."""

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from joserfc.jwk import ECKey

from storage.audit import Entry, list_recorded
from storage.engine import open_engine
from storage.keys import revoke_key
from storage.upgrade import upgrade
from streams.serving.access.bearer import Keys, bearer
from streams.serving.access.caller import Rank
from streams.serving.access.guard import OPEN
from streams.serving.access.oidc import Provider, Tokens
from streams.serving.access.recorder import described
from streams.serving.access.routes import Asked, asked
from streams.serving.access.scopes import EVERY_SCOPE, needed
from tests.access import ISSUER, OPTIONS, FakeProvider, app_of, client_of, headers, new_key, token
from tests.unit import test_cross_tenant as tenants
from tests.unit.test_cross_tenant import bench, prepared

__all__ = ["bench", "prepared"]

ROUTES = [one for one in asked(tenants.BARE) if one.method != "HEAD"]
GUARDED = [one for one in ROUTES if one.path not in OPEN]
WRITES = [one for one in tenants.ROUTES if one.method != "GET"]
FINDS = ("/v1/search", "/v1/labels/{name}/moments")
"""They show moments of conversations that nobody named."""
LOOKS = [
    one
    for one in tenants.ROUTES
    if one.method == "GET"
    and ("{conversation}" in one.path or "{alert}" in one.path or one.path in FINDS)
]
EXPIRED_S = 1_000_000
LOWER = {Rank.VIEWER: None, Rank.SUPERVISOR: Rank.VIEWER, Rank.ADMIN: Rank.SUPERVISOR}
VERBS = {
    ("POST", "/v1/alerts/{alert}/acknowledge"): "alert.acknowledge",
    ("POST", "/v1/alerts/{alert}/snooze"): "alert.snooze",
    ("POST", "/v1/alerts/{alert}/verdict"): "alert.verdict",
    ("POST", "/v1/deliveries/{message}/{sink}/retry"): "delivery.retry",
    ("PUT", "/v1/rules/{name}"): "rule.put",
    ("DELETE", "/v1/rules/{name}"): "rule.delete",
    ("POST", "/v1/rules/backtest"): "rule.backtest",
    ("POST", "/v1/erasures"): "erasure.create",
    ("POST", "/v1/keys"): "key.create",
    ("DELETE", "/v1/keys/{key}"): "key.revoke",
    ("PUT", "/v1/labels/{name}"): "label.put",
    ("DELETE", "/v1/labels/{name}"): "label.delete",
    ("POST", "/v1/labels/{name}/judgements"): "label.judge",
    ("GET", "/v1/search"): "moment.search",
    ("GET", "/v1/labels/{name}/moments"): "label.moments",
    ("GET", "/v1/conversations/{conversation}"): "conversation.view",
    ("GET", "/v1/conversations/{conversation}/scores"): "conversation.scores",
    ("GET", "/v1/conversations/{conversation}/transcript"): "conversation.transcript",
    ("GET", "/v1/conversations/{conversation}/narrative"): "conversation.narrative",
    ("GET", "/v1/conversations/{conversation}/export"): "conversation.export",
    ("GET", "/v1/conversations/{conversation}/decisions"): "conversation.decisions",
    ("GET", "/v1/alerts/{alert}"): "alert.view",
}
"""As docs/access.md tells them."""
ABOUT = "zebra-call"


def named(routes: list[Asked]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("route", routes, ids=lambda one: f"{one.method} {one.path}")


async def answered(
    app: FastAPI, route: Asked, who: Mapping[str, str], path: str | None = None
) -> httpx.Response:
    """What `route` says to somebody whom it does not let in."""
    async with client_of(app) as client:
        return await client.request(route.method, path or route.path, headers=who)


@pytest.fixture
async def refused() -> AsyncIterator[tuple[FastAPI, dict[str, dict[str, str]], Any]]:
    """The API, and every kind of credentials that opens nothing."""
    engine = open_engine("sqlite+aiosqlite://")
    await upgrade(engine)
    provider = FakeProvider()
    key = provider.sign_with("k-1")
    parameters: Any = {"kid": "k-1"}
    stranger = ECKey.generate_key("P-256", parameters)
    past_ns = time.time_ns() - 1
    everything: dict[str, Any] = {"scopes": sorted(EVERY_SCOPE)}
    revoked = await new_key(engine, Rank.ADMIN, **everything)
    await revoke_key(engine, "acme", revoked.key.id, time.time_ns())
    over = await new_key(engine, Rank.ADMIN, expires_ns=past_ns, **everything)
    kinds = {
        "none": {},
        "no bearer": {"Authorization": "Basic YTpi"},
        "forged key": headers("as_" + "A" * 43),
        "revoked key": headers(revoked.secret),
        "expired key": headers(over.secret),
        "forged token": headers(token(stranger)),
        "expired token": headers(token(key, exp=EXPIRED_S)),
        "wrong audience": headers(token(key, aud="somebody-else")),
        "wrong issuer": headers(token(key, iss="https://evil.example")),
    }
    tokens = Tokens(OPTIONS, Provider(ISSUER, provider.http))
    yield app_of(engine, bearer(Keys(engine), tokens)), kinds, engine
    await provider.http.aclose()
    await engine.dispose()


async def test_no_route_opens_to_credentials_that_are_wrong(refused: Any) -> None:
    app, kinds, _ = refused
    assert len(kinds) == 9
    for route in [*GUARDED, Asked("GET", "/v1/nothing", None), Asked("PATCH", "/", None)]:
        for kind, who in kinds.items():
            answer = await answered(app, route, who)
            assert answer.status_code == 401, (route, kind)
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            challenge = answer.headers["WWW-Authenticate"]
            assert challenge.startswith('Bearer realm="affectstream"')
            assert ("invalid_token" in challenge) == (kind != "none"), kind
            assert answer.json()["status"] == 401


async def test_open_paths_are_the_documented_ones_and_no_others(refused: Any) -> None:
    app, kinds, _ = refused
    assert {one.path for one in ROUTES} - {one.path for one in GUARDED} == set(OPEN)
    for path in OPEN:
        for who in kinds.values():
            assert (await answered(app, Asked("GET", path, None), who)).status_code == 200


@named(GUARDED)
async def test_a_rank_or_a_scope_too_few_is_403_and_named(route: Asked, refused: Any) -> None:
    app, _, engine = refused
    scopes = needed(route.method, route.path)
    for lacking in sorted(scopes):
        who = await new_key(engine, Rank.ADMIN, scopes=sorted(EVERY_SCOPE - {lacking}))
        answer = await answered(app, route, headers(who.secret))
        assert answer.status_code == 403
        assert f"needs the scope {lacking}" in answer.json()["detail"]
    assert scopes or route.path == "/v1/me"
    lower = None if route.rank is None else LOWER[route.rank]
    if lower is not None:
        who = await new_key(engine, lower, scopes=sorted(EVERY_SCOPE))
        filled = route.path
        for name, value in tenants.PATHS.items():
            filled = filled.replace(f"{{{name}}}", value)
        answer = await answered(app, route, headers(who.secret), filled)
        assert answer.status_code == 403
        assert f"needs the rank {route.rank}" in answer.json()["detail"]


def test_every_write_and_every_look_at_one_conversation_has_a_verb() -> None:
    assert {(one.method, one.path) for one in [*WRITES, *LOOKS]} == set(VERBS)


@named([*WRITES, *LOOKS])
async def test_each_leaves_exactly_one_entry_with_its_verb(route: Asked, bench: Any) -> None:
    app = tenants.whole_app(bench.engine)  # nobody has looked at anything in this one
    before = await list_recorded(bench.engine, tenants.THEIRS, limit=99)
    path, query = next(bench.questions(route))
    async with client_of(app) as client:
        for _ in range(2):  # the second look within a minute is the same look
            answer = await client.request(
                route.method, path, params=query, json=bench.body(route), headers=bench.theirs
            )
            assert answer.status_code < 300, answer.text
            if route.method != "GET":
                break
    after = await list_recorded(bench.engine, tenants.THEIRS, limit=99)
    [entry] = [one.entry for one in after[: len(after) - len(before)]]
    assert entry.action == VERBS[route.method, route.path]
    assert entry.actor == "zebra-crm"
    judged = route.path.endswith("/judgements")
    about = "{conversation}" in route.path or "{alert}" in route.path or judged
    assert entry.conversation == (ABOUT if about else None)
    for content in ("words", "note", "zebra-subject"):
        assert content not in str(entry.details)


async def test_an_erasure_of_a_subject_names_nobody_in_the_log(bench: Any) -> None:
    async with client_of(bench.app) as client:
        done = await client.post(
            "/v1/erasures", json={"subject": "zebra-subject"}, headers=bench.theirs
        )
    assert done.status_code == 201
    newest = (await list_recorded(bench.engine, tenants.THEIRS, limit=1))[0].entry
    assert newest == Entry(tenants.THEIRS, "zebra-crm", "erasure.create", None, {})


@named([one for one in tenants.ROUTES if one.method == "GET" and one not in LOOKS])
def test_lists_are_on_record_where_they_are_of_one_conversation(route: Asked) -> None:
    """Alerts, consents, audit and the live stream take `conversation`."""
    operation = tenants.DOCUMENT["paths"][route.path]["get"]
    assert described("GET", route.path, {}, {}) is None
    if any(one["name"] == "conversation" for one in operation.get("parameters", ())):
        found = described("GET", route.path, {}, {"conversation": "c-1"})
        assert found == (f"conversation.{route.path.split('/')[2]}", "c-1", {})
