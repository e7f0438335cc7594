"""Typed settings, read once by the composition root and passed down as small objects.

`affectstream.toml` in the working folder and `AFFECTSTREAM_…` variables; the second wins.
Unknown keys are errors.
"""

import base64
import hashlib
import json
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PREFIX = "AFFECTSTREAM_"
FILE = "affectstream.toml"
SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets begin, none itself
SECRET_BYTES = range(24, 65)
"""As Standard Webhooks asks."""
_SCORING = (
    "profile",
    "speech_model",
    "text_model",
    "face_model",
    "policy",
    "tenant_policy",
    "calibration",
    "fusion",
    "tenant_fusion",
    "fusion_weights",
    "context",
    "context_weights",
    "search",
    "alignment_weights",
    "imputation",
    "imputation_weights",
    "narrator",
    "text_plus",
    "neutral_share",
    "distress_base_rate",
    "window_ms",
    "hop_ms",
    "disorder_ms",
    "wait_media_ms",
    "wait_transcripts_ms",
    "keep_transcripts",
)


class Profile(StrEnum):
    """Which weights may be loaded."""

    DEFAULT = "default"
    RESEARCH = "research"
    """Weights whose data forbids commercial use. Must be chosen by name."""


class WebhookSettings(BaseModel):
    """Where alerts go that name `webhook:NAME`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr
    """`https://…`; hidden, for some hold a secret. Redirects are not followed."""
    secret: SecretStr
    """Of signatures: `whsec_` and 24 to 64 bytes in base64."""
    tenant: str = Field(default="", pattern=r"^[A-Za-z0-9._:-]{0,128}$")
    """Whose alerts it may have; empty is every tenant."""

    @property
    def key(self) -> bytes:
        """The secret, decoded."""
        return base64.b64decode(self.secret.get_secret_value().removeprefix(SECRET_PREFIX))

    @field_validator("url")
    @classmethod
    def _address(cls, url: SecretStr) -> SecretStr:
        """Refuse what no client could post to."""
        _check_url(url.get_secret_value())
        return url

    @field_validator("secret")
    @classmethod
    def _secret(cls, secret: SecretStr) -> SecretStr:
        """Refuse what receivers could not decode, or others could guess."""
        text = secret.get_secret_value()
        try:
            key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
        except ValueError:
            key = b""
        if not text.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
            raise PydanticCustomError(
                "secret",
                "a secret is `whsec_` and 24 to 64 bytes in base64: "
                "`echo whsec_$(openssl rand -base64 32)` makes one",
            )
        return secret


def _check_url(text: str) -> None:
    """Refuse what is no address of HTTP, without repeating it."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PydanticCustomError("address", "no http:// or https:// address")


FusionName = Literal["late", "adaptive", "feature", "attention", "hybrid", "evidential"]

_NOT_SETTINGS = ("affectstream_test_", "affectstream_shared")
"""Variables of the test suite."""


class _StrictEnvironment(EnvSettingsSource):
    """Hands on variables that name no setting, so that a misspelt one is refused."""

    def __call__(self) -> dict[str, Any]:
        """Values of known variables, and whatever else begins with our prefix."""
        values = super().__call__()
        prefix = PREFIX.lower()
        for name, value in self.env_vars.items():
            if name.startswith(prefix) and not name.startswith(_NOT_SETTINGS):
                values.setdefault(name.removeprefix(prefix), value)
        return values


class Settings(BaseSettings):
    """Every setting of every command. Secrets are hidden by `affectstream config`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, toml_file=FILE, extra="forbid", frozen=True
    )

    # where the services are
    kafka: str = "127.0.0.1:9092"
    """Bootstrap servers, comma-separated host:port."""
    database_url: SecretStr = SecretStr("postgresql+asyncpg://affectstream@127.0.0.1/affectstream")
    cache_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """`redis://…`, or `memory://` where one process does everything (the demo)."""
    group: str = "affectstream"
    """Kafka consumer group of the workers."""
    partitions: PositiveInt = 16
    """Of every topic, fixed for ever: `topics create` refuses a change."""
    replication: PositiveInt = 1

    # what is scored
    tenant: str = Field(default="default", pattern=r"^[A-Za-z0-9._:-]{1,128}$")
    """Tenant of `ingest`, `score` and `demo`."""
    profile: Profile = Profile.DEFAULT
    speech_model: str = ""
    """A folder, or `owner/name@revision` of the hub; empty is the profile's own expert, `shipped`
    the one that comes with the program."""
    text_model: str = ""
    """The same of words."""
    face_model: str = ""
    """The same of faces."""
    calibration: str = ""
    """A folder of `affectstream train calibration`; empty is the shipped one."""
    policy: Literal["eu", "text-only", "research"] = "eu"
    tenant_policy: dict[str, Literal["eu", "text-only", "research"]] = Field(default_factory=dict)
    """Tenants that are under another profile than `policy`."""
    fusion: FusionName = "late"
    """`adaptive`: input of worse quality counts less. The others are learned; see
    docs/methods.md."""
    tenant_fusion: dict[str, FusionName] = Field(default_factory=dict)
    """Tenants that are fused another way than `fusion` says."""
    fusion_weights: str = ""
    """A folder of `affectstream train fusion`; empty is the shipped one."""
    context: Literal["none", "filter", "recurrent"] = "none"
    """An estimate given the earlier windows of a participant, beside the raw one."""
    context_weights: str = ""
    """A folder of `affectstream train context`; empty is the shipped one."""
    search: bool = False
    """Keep a vector of each window, so that moments can be searched for."""
    alignment_weights: str = ""
    """A folder of `affectstream train alignment`; empty is the shipped one."""
    imputation: Literal["none", "ridge", "translator", "cgan", "diffusion"] = "none"
    """What the present modalities let expect of the others; never part of a probability."""
    imputation_weights: str = ""
    """A folder of `affectstream train imputation`; empty is the shipped one."""
    narrator: str = "template"
    """Who puts alerts into words: `none`, `template`, `small`, or a folder of weights."""
    text_plus: bool = False
    """Read words with sentence vectors too (`affectstream models fetch sentence_encoder`)."""
    neutral_share: float = Field(default=0.6, gt=0, lt=1)
    """Share of all windows that are neutral on these calls; the other labels share the rest."""
    distress_base_rate: float = Field(default=0.1, gt=0, lt=1)
    """Share of all windows in distress on these calls."""
    window_ms: PositiveInt = 3_000
    hop_ms: PositiveInt = Field(default=1_000, validate_default=True)
    """At most `window_ms`: no moment may fall between windows."""
    models_dir: Path = Path(".models")
    """Where optional third-party weights lie (`affectstream models fetch`)."""
    torch_threads: PositiveInt = 1
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Of the voice encoder; `auto` is CUDA where it and heads for it are here."""
    keep_transcripts: bool = False
    """Store words, and cues that quote them. Off: a cue names its kind instead."""

    # privacy
    secret: SecretStr = SecretStr("")
    """Key of the digests of subjects and erased conversations; never change it."""
    kafka_retention_h: PositiveFloat = 24.0
    """Longest retention of any input topic: until then Kafka holds what was erased elsewhere."""
    keep_scores_days: PositiveFloat = 90.0
    """Scores, evidence and what participants carry from window to window."""
    keep_alerts_days: PositiveFloat = 365.0
    """Alerts, policy decisions and consents."""
    keep_rollups_days: PositiveFloat = 730.0
    """Rollups, and who took part in which conversation."""
    keep_audit_days: PositiveFloat = 365.0
    """The audit log and the receipts of erasures."""

    # event time
    disorder_ms: PositiveInt = 300
    """How far records of one track may arrive out of order."""
    wait_media_ms: PositiveInt = 2_000
    """How long, in event time of the others, a silent audio or video track is waited for."""
    wait_transcripts_ms: PositiveInt = 2_000
    session_gap_s: PositiveFloat = 1_800.0
    """A conversation without records for this long is closed."""

    # the worker
    max_batch: PositiveInt = 16
    memory_budget_mb: PositiveInt = 512
    """Payload bytes that open windows may hold; above it, topics that are ahead are paused."""

    worker_host: str = "127.0.0.1"
    """Where a worker answers `/healthz`, `/readyz` and `/metrics`, and nothing else, to whoever
    connects."""
    worker_port: int = Field(default=8001, ge=0, le=65_535)
    """Its port; 0 takes any."""

    # who hears of alerts
    webhooks: dict[
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")], WebhookSettings
    ] = Field(default_factory=dict)
    """Programs of others by name; a rule that names `webhook:NAME` tells them."""
    alertmanager_url: SecretStr = SecretStr("")
    """Root of a Prometheus Alertmanager; a rule that names `alertmanager` tells it. Hidden, for it
    may hold a password."""
    public_url: str = ""
    """Of the dashboard as people reach it, for links in what is sent."""

    # serving
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=0, le=65_535)
    body_limit_bytes: PositiveInt = 1_048_576
    """What a request to the API may carry."""
    rate_limit: str = "3000/minute"
    """Requests of one key or one person to one `serve`."""
    refused_limit: str = "600/minute"
    """Wrong or missing credentials from one address."""
    trusted_proxies: str = "127.0.0.1,::1"
    """Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, comma-separated."""
    oidc_issuer: str = ""
    """URL of an OpenID Connect provider whose tokens are accepted; empty is none."""
    oidc_audience: str = ""
    """What its tokens for this service have in `aud`."""
    oidc_tenant_claim: str = ""
    """Claim that names the tenant; empty: every token is of `tenant`."""
    oidc_rank_claim: str = "roles"
    """Claim that holds `viewer`, `supervisor` or `admin`, alone or in a list."""
    oidc_rank_prefix: str = ""
    """What stands before those words in that claim."""
    oidc_name_claim: str = "sub"
    """Claim that names somebody in the audit log."""
    api_url: str = "http://127.0.0.1:8000"
    """Where `dashboard` finds the API."""
    dashboard_host: str = "127.0.0.1"
    dashboard_port: int = Field(default=8080, ge=0, le=65_535)
    k_floor: int = Field(default=5, ge=2)
    """Trends say nothing of groups with fewer conversations than this."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    traces: Literal["none", "otlp", "console"] = "none"
    """OpenTelemetry spans: to a collector, to stderr, or not at all."""
    otlp_endpoint: str = "http://127.0.0.1:4318"
    """Of a collector, OTLP over HTTP."""

    @property
    def scoring_digest(self) -> str:
        """Digest of every setting that changes scores, for their `versions.config`."""
        scoring = self.model_dump(mode="json", include=set(_SCORING))
        text = json.dumps(scoring, sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    @field_validator("kafka")
    @classmethod
    def _servers(cls, servers: str) -> str:
        """Refuse what no client could connect to."""
        for server in servers.split(","):
            host, _, port = server.rpartition(":")
            is_port = port.isdecimal() and 0 < int(port) < 1 << 16
            if not host or " " in host or not is_port:
                raise PydanticCustomError(
                    "servers", "{server} is no host:port", {"server": repr(server)}
                )
        return servers

    @field_validator("alertmanager_url", "public_url")
    @classmethod
    def _addresses(cls, url: SecretStr | str) -> SecretStr | str:
        """Refuse what is no address of HTTP; empty is none."""
        text = url.get_secret_value() if isinstance(url, SecretStr) else url
        if text:
            _check_url(text)
        return url

    @field_validator("hop_ms")
    @classmethod
    def _no_gaps(cls, hop_ms: int, info: ValidationInfo) -> int:
        """Refuse windows that would leave time uncovered."""
        window_ms = info.data.get("window_ms", hop_ms)
        if hop_ms > window_ms:
            raise PydanticCustomError(
                "gaps",
                "{hop_ms} ms is longer than window_ms, {window_ms} ms: time would be left out",
                {"hop_ms": hop_ms, "window_ms": window_ms},
            )
        return hop_ms

    @field_validator("database_url")
    @classmethod
    def _async_driver(cls, url: SecretStr) -> SecretStr:
        """Accept the usual spellings; the service uses the async drivers."""
        text = url.get_secret_value()
        for plain, driver in (
            ("postgresql", "asyncpg"),
            ("postgres", "asyncpg"),
            ("sqlite", "aiosqlite"),
        ):
            if text.startswith(f"{plain}://"):
                scheme = "postgresql" if plain.startswith("postgres") else plain
                return SecretStr(f"{scheme}+{driver}://{text.split('://', 1)[1]}")
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - ours is stricter
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the file."""
        return (
            init_settings,
            _StrictEnvironment(settings_cls),
            TomlConfigSettingsSource(settings_cls),
        )


def load(**overrides: Any) -> Settings:
    """Read file and environment once; `overrides` are options of the command line.

    Raises pydantic.ValidationError naming every wrong or unknown key, or the file if it is
    no TOML.
    """
    try:
        return Settings(**{key: value for key, value in overrides.items() if value is not None})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        reason = PydanticCustomError("toml", "no TOML: {reason}", {"reason": str(exc)})
        detail = InitErrorDetails(type=reason, loc=(FILE,), input=None)
        raise ValidationError.from_exception_data("Settings", [detail]) from exc
