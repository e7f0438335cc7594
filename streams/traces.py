"""Traces, off by default: OpenTelemetry spans that hold no words, faces, voices or ids of people.

An erasure does not reach where traces are kept, so no tenant, conversation or participant is
named in them either. A score is named by its own id.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Literal

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from inference.errors import AffectstreamError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from opentelemetry.sdk.trace import SpanProcessor
    from sqlalchemy.ext.asyncio import AsyncEngine

HEADER: Final = "traceparent"
"""Of W3C Trace Context; on Kafka a header of this name."""
MAX_LINKS: Final = 64
"""Links of one span; the newest are kept."""
UNTRACED_PATHS: Final = "healthz,readyz,metrics,v1/live"
"""What platforms ask all the time, and a stream that lasts for hours."""
_ADDRESSES: Final = (
    "client.address", "http.client_ip", "http.target", "http.url", "http.user_agent",
    "net.peer.ip", "url.full", "url.path", "url.query", "user_agent.original",
)  # fmt: skip
"""Attributes in which the instrumentation puts ids and who asked; `http.route` stays."""
Attributes = Mapping[str, str | int | float | bool]
_propagator: Final = TraceContextTextMapPropagator()


class TracesError(AffectstreamError):
    """Traces were asked for and cannot be made."""


@dataclass(slots=True)
class _State:
    tracer: trace.Tracer | None = None


_state: Final = _State()


def enabled() -> bool:
    """Whether spans are made at all."""
    return _state.tracer is not None


def configure(kind: Literal["none", "otlp", "console"], endpoint: str, service: str) -> None:
    """Begin to trace, or not.

    Args:
        kind: `none` changes nothing, `console` writes spans to stderr.
        endpoint: of an OTLP collector over HTTP, for example `http://127.0.0.1:4318`.
        service: of this process: `worker`, `api`, `ingest`.

    Raises TracesError where the extra `traces` is not installed.
    """
    if kind == "none":
        return
    try:
        processor = _processor(kind, endpoint)
    except ImportError as exc:
        raise TracesError(
            f"traces = {kind!r} needs more packages ({exc.name} is missing): "
            "pip install 'affectstream[traces]'"
        ) from exc
    begin(processor, service)


def begin(processor: "SpanProcessor", service: str) -> None:
    """Trace into `processor`; `end` undoes it."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only with the extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - the same

    resource = Resource.create(
        {"service.name": f"affectstream-{service}", "service.version": version("affectstream")}
    )
    provider = TracerProvider(sampler=_no_orphans(), resource=resource)
    provider.add_span_processor(processor)
    _state.tracer = provider.get_tracer("affectstream")


def end() -> None:
    """Trace no more. What is not exported yet goes out when the process ends."""
    _state.tracer = None


def headers() -> dict[str, str]:
    """`traceparent` of the span that is open; nothing where there is none."""
    carrier: dict[str, str] = {}
    if _state.tracer is not None:
        _propagator.inject(carrier)
    return carrier


def traceparent(span: Span) -> str:
    """What a record that was made in `span` carries."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(span))
    return carrier.get(HEADER, "")


def of_record(pairs: Sequence[tuple[str, bytes]]) -> str | None:
    """`traceparent` among the headers of a record that was read; None where nobody traces."""
    if _state.tracer is None:
        return None
    return next((value.decode("ascii", "replace") for name, value in pairs if name == HEADER), None)


def start(
    name: str,
    origins: Iterable[str | None] = (),
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    start_ns: int | None = None,
) -> Span | None:
    """A span that began; None where nobody traces. Whoever starts it ends it.

    Many records make one window: the newest of `origins` is the parent, so that a trace leads
    all the way, and the others are links.

    Args:
        name: one of few: never made of input.
        origins: `traceparent` of what it came from, oldest first.
        kind: of the span.
        attributes: counts, durations, names of ours.
        start_ns: wall time at which it began, if that is over.
    """
    tracer = _state.tracer
    if tracer is None:
        return None
    known = [_context(origin) for origin in dict.fromkeys(origins) if origin]
    contexts = [context for context in known if context.is_valid][-MAX_LINKS:]
    parent = trace.set_span_in_context(trace.NonRecordingSpan(contexts[-1])) if contexts else None
    return tracer.start_span(
        name,
        context=parent,
        kind=kind,
        attributes=attributes,
        links=[Link(context) for context in contexts[:-1]],
        start_time=start_ns,
    )


@contextmanager
def span(
    name: str,
    origins: Iterable[str | None] = (),
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
) -> Iterator[None]:
    """A span around what happens inside; what is sent there carries it. Arguments as `start`."""
    begun = start(name, origins, kind=kind, attributes=attributes)
    if begun is None:
        yield
        return
    with trace.use_span(begun, end_on_exit=True, record_exception=False):
        yield


def watch_engine(engine: "AsyncEngine") -> None:
    """Show statements, without their values, inside other spans."""
    if _state.tracer is not None:
        from opentelemetry.instrumentation.sqlalchemy import (  # noqa: PLC0415 - with the extra
            SQLAlchemyInstrumentor,
        )

        SQLAlchemyInstrumentor().instrument(
            engine=engine.sync_engine,
            tracer_provider=_Provider(_state.tracer),
            skip_dep_check=True,  # it refuses SQLAlchemy 2.1, with which it works: see the tests
        )


def watch_api(app: "FastAPI") -> None:
    """A span for each request, named by its route and never by its address."""
    if _state.tracer is not None:
        from opentelemetry.instrumentation.fastapi import (  # noqa: PLC0415 - with the extra
            FastAPIInstrumentor,
        )

        FastAPIInstrumentor.instrument_app(
            app,
            tracer_provider=_Provider(_state.tracer),
            excluded_urls=UNTRACED_PATHS,
            server_request_hook=_without_addresses,
            exclude_spans=["receive", "send"],
        )


def watch_redis() -> None:
    """Show commands, without their values, inside other spans."""
    if _state.tracer is not None:
        from opentelemetry.instrumentation.redis import (  # noqa: PLC0415 - with the extra
            RedisInstrumentor,
        )

        RedisInstrumentor().instrument(tracer_provider=_Provider(_state.tracer))


class _Provider(trace.TracerProvider):
    """Hands out our tracer: spans of libraries are sampled and exported like ours."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def get_tracer(self, *_: Any, **__: Any) -> trace.Tracer:
        """Whoever asks."""
        return self._tracer


def _without_addresses(request: Span, scope: dict[str, Any]) -> None:  # noqa: ARG001 - theirs
    for name in _ADDRESSES:
        request.set_attribute(name, "")


def _context(origin: str) -> SpanContext:
    found = _propagator.extract({HEADER: origin})
    return trace.get_current_span(found).get_span_context()


def _processor(kind: str, endpoint: str) -> "SpanProcessor":
    import sys  # noqa: PLC0415 - as below

    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415 - only with the extra
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )

    if kind == "console":
        return SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stderr))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - the same
        OTLPSpanExporter,
    )

    return BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))


def _no_orphans() -> Any:
    """A sampler that leaves out statements and commands which belong to nothing.

    Relays ask the database five times a second whether there is something to do.
    """
    from opentelemetry.sdk.trace.sampling import (  # noqa: PLC0415 - only with the extra
        ALWAYS_OFF,
        ALWAYS_ON,
        ParentBased,
        Sampler,
    )

    class NoOrphans(Sampler):
        def should_sample(self, *arguments: Any, **named: Any) -> Any:
            kind = named.get("kind", arguments[3] if len(arguments) > 3 else None)  # noqa: PLR2004
            chosen = ALWAYS_OFF if kind is SpanKind.CLIENT else ALWAYS_ON
            return chosen.should_sample(*arguments, **named)

        def get_description(self) -> str:
            return "NoOrphans"

    return ParentBased(NoOrphans())
