"""Keys and tokens: what lets in, what does not, and with which rank."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from joserfc.jwk import ECKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engine import transaction
from storage.keys import find_key, revoke_key
from streams.serving.access.bearer import Keys, bearer
from streams.serving.access.caller import Admin, AtLeast, Rank, Viewer, scopes_of
from streams.serving.access.oidc import (
    REFRESH_S,
    RETRY_S,
    STALE_S,
    OidcOptions,
    OptionsError,
    Provider,
    Tokens,
)
from streams.serving.access.scopes import EVERY_SCOPE, Scope, needed
from tests.access import (
    AUDIENCE,
    ISSUER,
    OPTIONS,
    FakeProvider,
    app_of,
    client_of,
    headers,
    new_key,
    rsa_key,
    token,
)


def encoded(part: dict[str, Any]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Bench:
    """The API, a provider, and a clock for what is kept of it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.clock = Clock()
        self.provider = FakeProvider()
        self.key = self.provider.sign_with("k-1")
        tokens = Tokens(OPTIONS, Provider(ISSUER, self.provider.http, self.clock))
        self.app = app_of(engine, bearer(Keys(engine), tokens))
        self.client = client_of(self.app)

    async def me(self, secret: str) -> httpx.Response:
        return await self.client.get("/v1/me", headers=headers(secret))

    async def says(self, secret: str) -> str:
        """Why these credentials are refused."""
        response = await self.me(secret)
        assert response.status_code == 401, response.text
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm="affectstream"')
        assert response.headers["Content-Type"] == "application/problem+json"
        assert secret not in response.text
        return str(response.json()["detail"])


@pytest.fixture
async def bench(engine: AsyncEngine) -> AsyncIterator[Bench]:
    bench = Bench(engine)
    yield bench
    await bench.client.aclose()
    await bench.provider.http.aclose()


async def test_a_key_opens_its_tenant_with_its_rank_and_scopes(
    engine: AsyncEngine, bench: Bench
) -> None:
    new = await new_key(engine, Rank.SUPERVISOR, scopes=["read", "alerts", "of the past"])
    response = await bench.me(new.secret)
    assert response.json() == {
        "tenant": "acme", "name": "crm", "rank": "supervisor", "scopes": ["read", "alerts"],
    }  # fmt: skip
    stored = await find_key(engine, new.secret)
    assert stored is not None
    assert stored.used_ns is not None


async def test_revoked_expired_and_unknown_keys_are_refused(
    engine: AsyncEngine, bench: Bench
) -> None:
    revoked = await new_key(engine)
    assert (await bench.me(revoked.secret)).status_code == 200
    await revoke_key(engine, "acme", revoked.key.id, time.time_ns())
    assert await bench.says(revoked.secret) == "This key was revoked."
    expired = await new_key(engine, expires_ns=time.time_ns() - 1)
    assert await bench.says(expired.secret) == "This key has expired."
    assert await bench.says("as_" + "A" * 43) == "There is no such key."


async def test_a_use_that_cannot_be_stored_fails_no_request(
    engine: AsyncEngine, bench: Bench
) -> None:
    new = await new_key(engine)
    async with transaction(engine) as connection:
        await connection.execute(
            text(
                "create trigger no_use before update on api_keys begin "
                "select raise(abort, 'no'); end"
            )
        )
    assert (await bench.me(new.secret)).status_code == 200
    stored = await find_key(engine, new.secret)
    assert stored is not None
    assert stored.used_ns is None


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [("Authorization", "Basic YTpi")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Bearer " + "x" * 20_000)],
        [("Authorization", "Bearer a.b.c")],
        [("Authorization", "Bearer as_short")],
        [("Authorization", "Bearer x"), ("Authorization", "Bearer y")],
    ],
)
async def test_none_and_malformed_credentials_are_refused(
    sent: list[tuple[str, str]], bench: Bench
) -> None:
    for path in ("/v1/me", "/v1/conversations", "/v1/live", "/metrics", "/nothing", "/v1"):
        response = await bench.client.get(path, headers=sent)
        assert response.status_code == 401, path
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_what_a_platform_asks_is_open(bench: Bench) -> None:
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert (await bench.client.get(path)).status_code == 200


async def test_a_route_that_forgot_its_dependency_is_reached_by_nobody(
    engine: AsyncEngine, bench: Bench
) -> None:
    app: FastAPI = bench.app

    @app.get("/v1/forgotten")
    async def forgotten() -> str:
        return "open"

    assert (await bench.client.get("/v1/forgotten")).status_code == 401
    some = await new_key(engine, Rank.SUPERVISOR)
    response = await bench.client.get("/v1/forgotten", headers=headers(some.secret))
    assert response.status_code == 403  # nobody listed its scope, so it needs every one
    admin = await new_key(engine, Rank.ADMIN)
    response = await bench.client.get("/v1/forgotten", headers=headers(admin.secret))
    assert response.json() == "open"


async def test_without_a_provider_a_token_is_refused(engine: AsyncEngine, bench: Bench) -> None:
    async with client_of(app_of(engine, bearer(Keys(engine)))) as client:
        response = await client.get("/v1/me", headers=headers(token(bench.key)))
    assert response.status_code == 401
    assert "no API key" in response.json()["detail"]


async def test_a_token_names_tenant_rank_and_person(bench: Bench) -> None:
    response = await bench.me(token(bench.key))
    assert response.json() == {
        "tenant": "acme",
        "name": "ada@acme.example",
        "rank": "supervisor",
        "scopes": [scope for scope in Scope if scope in scopes_of(Rank.SUPERVISOR)],
    }
    nameless = await bench.me(token(bench.key, email=None))
    assert nameless.json()["name"] == "u-1"


async def test_every_token_is_of_one_tenant_where_no_claim_is_set(engine: AsyncEngine) -> None:
    provider = FakeProvider()
    key = provider.sign_with("k-1")
    options = OidcOptions(
        issuer=ISSUER, audience=AUDIENCE, tenant="home", rank_claim="https://x.y/r",
        rank_prefix="as-",
    )  # fmt: skip
    tokens = Tokens(options, Provider(ISSUER, provider.http))
    caller = await tokens(token(key, **{"https://x.y/r": "as-admin", "tenant": "elsewhere"}))
    assert (caller.tenant, caller.rank, caller.scopes) == ("home", Rank.ADMIN, EVERY_SCOPE)
    await provider.http.aclose()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exp": 1_000_000}, "The token has expired."),
        ({"exp": None}, "claim exp"),
        ({"aud": "somebody-else"}, "claim aud"),
        ({"aud": None}, "claim aud"),
        ({"aud": []}, "claim aud"),
        ({"iss": "https://evil.example"}, "claim iss"),
        ({"iss": None}, "claim iss"),
        ({"sub": None}, "claim sub"),
        ({"nbf": 9_999_999_999}, "claim nbf"),
        ({"iat": 9_999_999_999}, "claim iat"),
        ({"exp": "soon"}, "claim exp"),
    ],
)
async def test_tokens_with_wrong_claims_are_refused(
    changes: dict[str, Any], why: str, bench: Bench
) -> None:
    assert why in await bench.says(token(bench.key, **changes))


async def test_clocks_may_differ_by_a_minute(bench: Bench) -> None:
    now_s = int(time.time())
    for changes in ({"exp": now_s - 50}, {"nbf": now_s + 50}, {"iat": now_s + 50}):
        assert (await bench.me(token(bench.key, **changes))).status_code == 200, changes
    for changes in ({"exp": now_s - 70}, {"nbf": now_s + 70}, {"iat": now_s + 70}):
        assert (await bench.me(token(bench.key, **changes))).status_code == 401, changes


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": None},
        {"tenant": "with space"},
        {"tenant": ["acme"]},
        {"realm_access": None},
        {"realm_access": {"roles": ["staff"]}},
        {"realm_access": "viewer"},
    ],
)
async def test_a_token_without_tenant_or_rank_is_known_and_may_nothing(
    changes: dict[str, Any], bench: Bench
) -> None:
    response = await bench.me(token(bench.key, **changes))
    assert response.status_code == 403
    assert "names no" in response.json()["detail"]


async def test_forged_tokens_are_refused(bench: Bench) -> None:
    good = token(bench.key)
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    parameters: Any = {"kid": "k-1"}
    other = ECKey.generate_key("P-256", parameters)
    assert await bench.says(token(other)) == "The token's signature is wrong."
    richer = claims | {"realm_access": {"roles": ["admin"]}}
    altered = f"{head}.{encoded(richer)}.{signature}"
    assert await bench.says(altered) == "The token's signature is wrong."
    none = encoded({"alg": "none", "kid": "k-1"})
    for unsigned in (f"{none}.{body}.", f"{none}.{body}.{signature}", f"{head}.{body}."):
        await bench.says(unsigned)


async def test_a_public_key_is_never_taken_for_a_password(bench: Bench) -> None:
    rsa = rsa_key("k-rsa")
    bench.provider.keys.append(rsa)
    for public in (rsa.as_pem(private=False), bench.key.as_pem(private=False)):
        for kid in ("k-rsa", "k-1"):
            body = token(rsa, "RS256").split(".")[1]
            signed = f"{encoded({'alg': 'HS256', 'kid': kid})}.{body}"
            mac = hmac.digest(public, signed.encode(), "sha256")
            forged = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
            assert "neither an API key nor a token" in await bench.says(forged)
    assert (await bench.me(token(rsa, "RS256"))).status_code == 200
    assert (await bench.me(token(rsa, "PS256"))).status_code == 200


async def test_keys_of_the_provider_are_fetched_once_and_again_after_a_while(bench: Bench) -> None:
    for _ in range(3):
        await bench.me(token(bench.key))
    assert bench.provider.asked == ["/.well-known/openid-configuration", "/keys"]
    bench.provider.keys.clear()
    replacement = bench.provider.sign_with("k-2")
    bench.clock.now_s += REFRESH_S
    assert "its issuer lacks" in await bench.says(token(bench.key))
    assert (await bench.me(token(replacement))).status_code == 200
    assert len(bench.provider.asked) == 4


async def test_an_unknown_key_id_asks_again_but_not_each_time(bench: Bench) -> None:
    await bench.me(token(bench.key))
    rotated = bench.provider.sign_with("k-2")
    assert "its issuer lacks" in await bench.says(token(rotated))  # we asked just now
    bench.clock.now_s += RETRY_S
    assert (await bench.me(token(rotated))).status_code == 200
    asked = len(bench.provider.asked)
    parameters: Any = {"kid": "never-heard-of"}
    stranger = ECKey.generate_key("P-256", parameters)
    bench.clock.now_s += RETRY_S
    for _ in range(5):
        assert "its issuer lacks" in await bench.says(token(stranger))
    assert len(bench.provider.asked) == asked + 2


async def test_known_keys_hold_for_a_day_while_the_provider_is_away(bench: Bench) -> None:
    good = token(bench.key)
    assert (await bench.me(good)).status_code == 200
    bench.provider.away = True
    bench.clock.now_s += STALE_S - 1
    assert (await bench.me(good)).status_code == 200
    bench.clock.now_s += RETRY_S
    response = await bench.me(good)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == str(int(RETRY_S))
    bench.provider.away = False
    bench.clock.now_s += RETRY_S
    assert (await bench.me(good)).status_code == 200


@pytest.mark.parametrize(
    ("about", "extra"),
    [
        ({"issuer": "https://evil.example", "jwks_uri": f"{ISSUER}/keys"}, []),
        ({"issuer": ISSUER, "jwks_uri": "http://login.example/keys"}, []),
        ({"issuer": ISSUER, "jwks_uri": "https://[x/keys"}, []),
        ({"issuer": ISSUER}, []),
        ({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}, None),
    ],
)
async def test_a_provider_that_does_not_answer_as_one_lets_nobody_in(
    about: dict[str, Any], extra: list[Any] | None, bench: Bench
) -> None:
    bench.provider.about = about
    if extra is None:  # keys, but none for signatures that we take
        bench.provider.keys.clear()
        bench.provider.extra = [
            {"kty": "oct", "k": "AAAA"}, {"kty": "RSA"}, "x", {"kty": "EC", "use": "enc"},
        ]  # fmt: skip
    assert (await bench.me(token(bench.key))).status_code == 503


@pytest.mark.parametrize(
    ("issuer", "audience", "why"),
    [
        ("http://login.example", "x", "no https address"),
        ("login.example", "x", "no https address"),
        ("https://[x", "x", "no https address"),
        ("https://login.example", "", "oidc_audience is empty"),
    ],
)
def test_options_that_would_let_in_too_many_are_refused(
    issuer: str, audience: str, why: str
) -> None:
    with pytest.raises(OptionsError, match=why):
        OidcOptions(issuer=issuer, audience=audience, tenant="t")


def test_a_provider_on_this_machine_may_speak_plainly() -> None:
    OidcOptions(issuer="http://127.0.0.1:9000/realm", audience="x", tenant="t")


async def test_a_rank_that_is_too_low_is_403_and_names_what_is_needed(
    engine: AsyncEngine, bench: Bench
) -> None:
    low = await new_key(engine, Rank.SUPERVISOR)
    response = await bench.client.get("/v1/keys", headers=headers(low.secret))
    assert response.status_code == 403
    assert "needs the rank admin" in response.json()["detail"]


async def test_a_scope_that_is_lacking_is_403_and_named(engine: AsyncEngine, bench: Bench) -> None:
    narrow = await new_key(engine, Rank.ADMIN, scopes=["alerts"])
    for path, scope in (("/v1/conversations", "read"), ("/v1/keys", "keys"), ("/metrics", "met")):
        response = await bench.client.get(path, headers=headers(narrow.secret))
        assert response.status_code == 403
        assert f"scope {scope}" in response.json()["detail"]
    assert (await bench.me(narrow.secret)).status_code == 200
    watcher = await new_key(engine, scopes=["metrics"])
    response = await bench.client.get("/metrics", headers=headers(watcher.secret))
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        ("GET", "/v1/conversations/c/scores", {"read"}),
        ("GET", "/v1/conversations/c/decisions", {"privacy"}),
        ("GET", "/v1/conversations/decisions", {"read"}),
        ("GET", "/v1/alerts", {"read"}),
        ("POST", "/v1/alerts/a/acknowledge", {"alerts"}),
        ("POST", "/v1/rules/backtest", {"rules"}),
        ("DELETE", "/v1/keys/k", {"keys"}),
        ("GET", "/v1/me", set()),
        ("GET", "/v1/new", set(Scope)),
        ("GET", "/v1", set(Scope)),
        ("GET", "//v1/alerts", {"read"}),
        ("GET", "/elsewhere/alerts", set(Scope)),
    ],
)
def test_scopes_follow_the_path(method: str, path: str, scopes: set[str]) -> None:
    assert needed(method, path) == scopes


def test_ranks_cover_those_before_them() -> None:
    covered = {(one, other) for one in Rank for other in Rank if one.covers(other)}
    assert covered == {(a, b) for n, a in enumerate(Rank) for b in list(Rank)[: n + 1]}


async def test_an_application_without_a_guard_still_asks(engine: AsyncEngine) -> None:
    app = FastAPI()
    seen: list[str] = []

    async def authenticate(request: Request) -> Any:
        seen.append(request.url.path)
        return await Keys(engine)(request.headers["x-key"])

    app.state.authenticate = authenticate

    @app.get("/v1/x")
    async def twice(caller: Viewer, again: Admin) -> str:
        assert caller is again
        return caller.name

    new = await new_key(engine, Rank.ADMIN)
    async with client_of(app) as client:
        response = await client.get("/v1/x", headers={"x-key": new.secret})
    assert response.json() == "crm"
    assert seen == ["/v1/x"]
    assert AtLeast(Rank.ADMIN) == AtLeast(Rank.ADMIN)
