"""`affectstream serve`: the HTTP API."""

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from inference.errors import AffectstreamError
from streams.settings import Settings, load

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from streams.serving.access.bearer import Credentials
    from streams.serving.access.caller import Authenticate

ADVICE: Final = (
    "Make a key with `affectstream keys create NAME --rank supervisor`, set oidc_issuer, or "
    "listen on 127.0.0.1"
)


class OpenToNobodyError(AffectstreamError):
    """Others could connect, but nobody has credentials."""


def serve(
    *,
    api_host: Annotated[str | None, Parameter(help="Address to listen on.")] = None,
    api_port: Annotated[int | None, Parameter(help="Port; 0 takes a free one.")] = None,
) -> None:
    """Serve conversations, timelines and the live feed over HTTP, until SIGTERM.

    On loopback it serves whoever sits at this machine, until the first key is made. Beyond
    loopback it needs a key (`affectstream keys create`) or an OpenID Connect provider.

    Example: `affectstream serve --api-port 8000`
    """
    asyncio.run(_serve(load(api_host=api_host, api_port=api_port)))


async def _serve(settings: Settings) -> None:
    from storage.cache import open_shared_cache
    from storage.engine import open_engine
    from streams import traces
    from streams.cli._privacy import open_eraser
    from streams.cli._search import open_finder
    from streams.cli._telling import open_teller
    from streams.serving.access.limits import Limits
    from streams.serving.api.service import build_api
    from streams.serving.server import Server, listen, until_signalled, url
    from streams.telemetry import configure_logging, logger

    configure_logging(settings.log_level, settings.log_format)
    traces.configure(settings.traces, settings.otlp_endpoint, "api")
    async with AsyncExitStack() as stack:
        cache = open_shared_cache(settings.cache_url.get_secret_value())
        stack.push_async_callback(cache.close)
        engine = open_engine(settings.database_url.get_secret_value())
        stack.push_async_callback(engine.dispose)
        authenticate = await _access(settings, engine, stack)
        listener = listen(settings.api_host, settings.api_port, "--api-port", anywhere=True)
        stack.callback(listener.close)
        api = build_api(
            engine,
            cache,
            authenticate,
            eraser=open_eraser(settings, engine, cache),
            finder=open_finder(settings, engine),
            limits=Limits(settings.rate_limit, settings.refused_limit),
            body_limit_bytes=settings.body_limit_bytes,
            k_floor=settings.k_floor,
            teller=await asyncio.to_thread(open_teller, settings, "api"),
        )
        traces.watch_engine(engine)
        traces.watch_redis()
        traces.watch_api(api.app)
        logger("api").info("listening", url=url(listener), tenant=settings.tenant)
        server = Server(
            api.app,
            listener,
            before_drain=api.feed.close,
            trusted_proxies=settings.trusted_proxies,
        )
        await until_signalled(server)


async def _access(
    settings: Settings, engine: "AsyncEngine", stack: AsyncExitStack
) -> "Authenticate":
    """Who may ask: this machine until there are keys, or whoever has credentials.

    Raises OpenToNobodyError where others could connect and nobody could get in.
    """
    from storage.keys import keys_exist
    from streams.serving.access.bearer import Keys, bearer
    from streams.serving.access.local import is_loopback, open_until_keys

    tokens = await _tokens(settings, stack)
    guarded = bearer(Keys(engine), tokens)
    if tokens is not None:
        return guarded
    if is_loopback(settings.api_host):
        return open_until_keys(settings.tenant, guarded, lambda: keys_exist(engine))
    await _check_keys(settings.api_host, engine)
    return guarded


async def _tokens(settings: Settings, stack: AsyncExitStack) -> "Credentials | None":
    if not settings.oidc_issuer:
        return None
    import httpx

    from streams.serving.access.oidc import OidcOptions, Provider, Tokens

    options = OidcOptions(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        tenant=settings.tenant,
        tenant_claim=settings.oidc_tenant_claim,
        rank_claim=settings.oidc_rank_claim,
        rank_prefix=settings.oidc_rank_prefix,
        name_claim=settings.oidc_name_claim,
    )
    http = await stack.enter_async_context(httpx.AsyncClient())
    return Tokens(options, Provider(options.issuer, http))


async def _check_keys(host: str, engine: "AsyncEngine") -> None:
    from storage.errors import StoreUnavailableError
    from storage.keys import keys_exist

    try:
        there_are = await keys_exist(engine)
    except StoreUnavailableError as exc:
        raise OpenToNobodyError(
            f"refusing to listen on {host} before it is known whether there is a key: {exc}. "
            f"{ADVICE}"
        ) from exc
    if not there_are:
        raise OpenToNobodyError(
            f"refusing to listen on {host}: others could connect, and there is neither a key nor "
            f"an identity provider. {ADVICE}"
        )
