"""An identity provider and an application that asks for credentials, for tests."""

import time
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, RSAKey
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.conversations import read_queue
from storage.feed import StoredFeed
from storage.keys import NewKey, create_key
from storage.values import ConversationKey
from streams.serving.access.caller import Authenticate, Rank, scopes_of
from streams.serving.access.oidc import OidcOptions
from streams.serving.api.app import create_app
from streams.serving.live import LiveFeed

ISSUER = "https://login.example"
AUDIENCE = "affectstream"
OPTIONS = OidcOptions(
    issuer=ISSUER,
    audience=AUDIENCE,
    tenant="unused",
    tenant_claim="tenant",
    rank_claim="realm_access.roles",
    name_claim="email",
)


class FakeProvider:
    """Answers discovery and keys; counts how often it is asked, and can be away."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.asked: list[str] = []
        self.away = False
        self.about: dict[str, Any] = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        self.extra: list[Any] = []
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.away:
            raise httpx.ConnectError("away")
        if request.url.path == "/.well-known/openid-configuration":
            return httpx.Response(200, json=self.about)
        keys = KeySet(self.keys).as_dict(private=False)["keys"]
        return httpx.Response(200, json={"keys": [*self.extra, *keys]})

    def sign_with(self, kid: str) -> Key:
        """A new key, published beside the others."""
        parameters: Any = {"kid": kid, "use": "sig"}
        key = ECKey.generate_key("P-256", parameters)
        self.keys.append(key)
        return key


def rsa_key(kid: str) -> RSAKey:
    parameters: Any = {"kid": kid}
    return RSAKey.generate_key(2048, parameters)


def token(key: Key, algorithm: str = "ES256", **changes: Any) -> str:
    """A token that is right but for `changes`; None leaves a claim out."""
    now_s = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": [AUDIENCE, "other"],
        "sub": "u-1",
        "exp": now_s + 300,
        "iat": now_s,
        "tenant": "acme",
        "email": "ada@acme.example",
        "realm_access": {"roles": ["staff", "viewer", "supervisor"]},
    }
    kept = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": key.kid}, kept, key, algorithms=[algorithm])


async def new_key(
    engine: AsyncEngine,
    rank: Rank = Rank.VIEWER,
    *,
    tenant: str = "acme",
    name: str = "crm",
    **changes: Any,
) -> NewKey:
    values = {"scopes": sorted(scopes_of(rank)), "now_ns": time.time_ns()} | changes
    return await create_key(
        engine, tenant=tenant, name=name, rank=rank, created_by="test", **values
    )


def headers(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def app_of(engine: AsyncEngine, authenticate: Authenticate, **options: Any) -> Any:
    """The whole API on `engine`."""

    async def queue_of(key: ConversationKey) -> str | None:
        return await read_queue(engine, key)

    feed = LiveFeed(StoredFeed(engine), queue_of)
    return create_app(engine=engine, authenticate=authenticate, feed=feed, **options)


def client_of(app: Any, base_url: str = "http://api", **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, **options)
    return httpx.AsyncClient(transport=transport, base_url=base_url)
