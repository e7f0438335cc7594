"""Tokens of an OpenID Connect provider: found by discovery, checked against its keys."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ClaimError,
    ExpiredTokenError,
    InvalidKeyIdError,
    JoseError,
)
from joserfc.jwk import JWKRegistry, Key, KeySet
from joserfc.jws import JWSRegistry

from inference.errors import AffectstreamError
from inference.units import SECOND_NS
from streams.serving.access.bearer import refused
from streams.serving.access.caller import Caller, Rank, scopes_of
from streams.serving.access.local import is_loopback
from streams.serving.problems import ProblemError
from streams.telemetry import logger

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
)
"""Only with a private key can these be made: a public key is never taken for a password."""
LEEWAY_S: Final = 60
"""How far the provider's clock may be from ours."""
REFRESH_S: Final = 600.0
"""A key that the provider took back is refused from then on."""
STALE_S: Final = 86_400.0
"""How long known keys hold while the provider does not answer."""
RETRY_S: Final = 30.0
"""Unknown key ids, and failures, lead to a question at most so often."""
TIMEOUT_S: Final = 5.0
LONGEST_BYTES: Final = 1_048_576
_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_LONGEST_NAME: Final = 256


class OptionsError(AffectstreamError):
    """Settings of the identity provider that would let in too many."""


class ProviderError(AffectstreamError):
    """The identity provider does not answer, or not as one does: worth another try later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcOptions:
    """Whose tokens are accepted, and what their claims mean.

    Attributes:
        issuer: URL of the provider, exactly as its tokens say in `iss`.
        audience: what tokens for this service have in `aud`.
        tenant: of every token, where `tenant_claim` is empty.
        tenant_claim: names the tenant. A claim is found by its whole name, or else by a path
            with dots (`realm_access.roles`).
        rank_claim: one word or a list of them; the highest rank among them counts.
        rank_prefix: stands before the ranks in that claim: `affectstream-` for
            `affectstream-viewer`.
        name_claim: who it is, for the audit log.
    """

    issuer: str
    audience: str
    tenant: str
    tenant_claim: str = ""
    rank_claim: str = "roles"
    rank_prefix: str = ""
    name_claim: str = "sub"

    def __post_init__(self) -> None:
        if not is_safe(self.issuer):
            raise OptionsError(
                f"oidc_issuer {self.issuer!r} is no https address: whoever can change what it "
                "answers could let in anybody"
            )
        if not self.audience:
            raise OptionsError(
                "oidc_audience is empty: every token of the issuer would open this service, "
                "whoever it was made for. Set what its tokens for this service have in `aud`"
            )


class Provider:
    """The public keys of one issuer, fetched when they are needed and kept.

    Args:
        issuer: its URL.
        http: asks; follows no redirect.
        clock_s: any clock that only goes forward.
    """

    def __init__(
        self,
        issuer: str,
        http: httpx.AsyncClient,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._http = http
        self._clock_s = clock_s
        self._keys: KeySet | None = None
        self._fetched_s = float("-inf")
        self._tried_s = float("-inf")
        self._lock = asyncio.Lock()
        self._log = logger("access")

    async def keys(self) -> KeySet:
        """Keys no older than `REFRESH_S`, or `STALE_S` while the provider is away.

        Raises ProviderError.
        """
        if self._keys is None or self._age_s() >= REFRESH_S:
            await self._fetch_once_in_a_while(self._fetched_s)
        if self._keys is None or self._age_s() >= STALE_S:
            raise ProviderError(f"{self._issuer} does not answer with its keys")
        return self._keys

    async def newer(self, than: KeySet) -> KeySet | None:
        """Other keys than `than`, which lack one; None where it is too early to ask again."""
        if self._keys is than:
            await self._fetch_once_in_a_while(self._fetched_s)
        return None if self._keys is than else self._keys

    def _age_s(self) -> float:
        return self._clock_s() - self._fetched_s

    async def _fetch_once_in_a_while(self, known_s: float) -> None:
        async with self._lock:
            waited = self._clock_s() - self._tried_s >= RETRY_S
            if self._fetched_s != known_s or not waited:  # somebody else just asked
                return
            self._tried_s = self._clock_s()
            try:
                self._keys = await self._fetch()
            except ProviderError as exc:
                self._log.warning("identity_provider_away", error=str(exc))
            else:
                self._fetched_s = self._clock_s()

    async def _fetch(self) -> KeySet:
        url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        about = await self._get(url)
        if about.get("issuer") != self._issuer:
            raise ProviderError(f"{url} is of another issuer than {self._issuer}")
        where = about.get("jwks_uri")
        if not isinstance(where, str) or not is_safe(where):
            raise ProviderError(f"{url} names no https address of keys")
        found = (await self._get(where)).get("keys")
        keys = _usable(found if isinstance(found, list) else [])
        if not keys:
            raise ProviderError(f"{where} has no key for {', '.join(ALGORITHMS)}")
        return KeySet(keys)

    async def _get(self, url: str) -> Mapping[str, Any]:
        try:
            response = await self._http.get(url, follow_redirects=False, timeout=TIMEOUT_S)
            response.raise_for_status()
            body = response.json() if len(response.content) <= LONGEST_BYTES else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
            raise ProviderError(f"{url}: {type(exc).__name__}") from exc
        if not isinstance(body, dict):
            raise ProviderError(f"{url} answers with no JSON object")
        return body


class Tokens:
    """Credentials by token of the provider."""

    def __init__(
        self,
        options: OidcOptions,
        provider: Provider,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._options = options
        self._provider = provider
        self._registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: clock_ns() // SECOND_NS,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": options.issuer},
            aud={"essential": True, "value": options.audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def __call__(self, text: str) -> Caller:
        """Raises ProblemError: 401, 403 where it names no tenant or rank, 503."""
        try:
            claims = await self._checked(text)
        except ProviderError as exc:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The identity provider does not answer, so tokens cannot be checked; try again.",
                headers={"Retry-After": str(int(RETRY_S))},
            ) from exc
        return _caller(claims, self._options)

    async def _checked(self, text: str) -> Mapping[str, Any]:
        keys = await self._provider.keys()
        try:
            token = self._decode(text, keys)
        except InvalidKeyIdError:
            newer = await self._provider.newer(keys)
            if newer is None:
                raise refused("The token was signed with a key that its issuer lacks.") from None
            token = self._decode_newer(text, newer)
        try:
            self._claims.validate(token.claims)
        except ExpiredTokenError as exc:
            raise refused("The token has expired.") from exc
        except ClaimError as exc:
            raise refused(f"The token is not for this service now: claim {exc.claim}.") from exc
        return token.claims

    def _decode_newer(self, text: str, keys: KeySet) -> jwt.Token:
        try:
            return self._decode(text, keys)
        except InvalidKeyIdError as exc:
            raise refused("The token was signed with a key that its issuer lacks.") from exc

    def _decode(self, text: str, keys: KeySet) -> jwt.Token:
        """Raises InvalidKeyIdError, and ProblemError (401) for anything else that is wrong."""
        try:
            return jwt.decode(text, keys, registry=self._registry)
        except InvalidKeyIdError:
            raise
        except BadSignatureError as exc:
            raise refused("The token's signature is wrong.") from exc
        except (JoseError, ValueError) as exc:
            raise refused("This is neither an API key nor a token that can be checked.") from exc


def is_safe(url: str) -> bool:
    """Whether `url` is https, or plain on this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    )


def _usable(found: Sequence[Any]) -> list[Key]:
    """Public keys for signatures; kinds that we do not know are left out."""
    keys: list[Key] = []
    for data in found:
        if not isinstance(data, dict) or data.get("kty") not in {"RSA", "EC"}:
            continue
        if data.get("use", "sig") != "sig":
            continue
        try:
            keys.append(JWKRegistry.import_key(data))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return keys


def _caller(claims: Mapping[str, Any], options: OidcOptions) -> Caller:
    tenant = _claim(claims, options.tenant_claim) if options.tenant_claim else options.tenant
    if not isinstance(tenant, str) or not _ID.fullmatch(tenant):
        raise _lacks("tenant", options.tenant_claim)
    said = _claim(claims, options.rank_claim)
    words = said if isinstance(said, list) else [said]
    ranks = [rank for rank in Rank if f"{options.rank_prefix}{rank}" in words]
    if not ranks:
        raise _lacks("rank", options.rank_claim)
    subject = str(claims["sub"])
    name = _claim(claims, options.name_claim)
    shown = name if isinstance(name, str) and name else subject
    return Caller(
        tenant=tenant,
        name="".join(filter(str.isprintable, shown))[:_LONGEST_NAME],
        rank=ranks[-1],
        scopes=scopes_of(ranks[-1]),
        credential=f"token/{subject}",
    )


def _lacks(what: str, claim: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.FORBIDDEN, f"The token names no {what}: its claim {claim} has none that we know."
    )


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this whole name, or at this path; None where there is none."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for word in name.split("."):
        found = found.get(word) if isinstance(found, dict) else None
    return found
