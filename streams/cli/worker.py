"""`affectstream worker`: scores what arrives on Kafka."""

import asyncio
import signal
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from streams.settings import Settings


def worker(
    *,
    worker_host: Annotated[
        str | None, Parameter(help="Address of /healthz, /readyz and /metrics, which name nobody.")
    ] = None,
    worker_port: Annotated[
        int | None, Parameter(help="Port of the same; 0 takes a free one.")
    ] = None,
) -> None:
    """Score what arrives on Kafka, store it and tell others, until SIGTERM.

    Waits for services that are away; exits with 1 when it cannot go on, so that a
    supervisor starts it again. Nothing is lost or doubled by that.

    Example: `affectstream worker`
    """
    from streams.cli._start import read_settings

    settings = read_settings(service="worker", worker_host=worker_host, worker_port=worker_port)
    asyncio.run(_worker(settings))


async def _worker(settings: Settings) -> None:
    from prometheus_client import CollectorRegistry

    from storage.cache import open_shared_cache
    from storage.engine import open_engine
    from streams import traces
    from streams.cli._scoring import open_scorer, scoring
    from streams.kafka_admin import check_topics
    from streams.serving.health import health_app
    from streams.serving.server import running
    from streams.telemetry import logger
    from streams.worker.kafka_output import KafkaOutput
    from streams.worker.outbox_metrics import OutboxMetrics

    log = logger("worker")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        cache = open_shared_cache(settings.cache_url.get_secret_value())
        stack.push_async_callback(cache.close)
        engine = open_engine(settings.database_url.get_secret_value())
        stack.push_async_callback(engine.dispose)
        traces.watch_engine(engine)
        traces.watch_redis()
        scorer = await asyncio.to_thread(open_scorer, settings)
        output = await stack.enter_async_context(KafkaOutput(settings.kafka))
        await asyncio.to_thread(check_topics, settings.kafka, partitions=settings.partitions)
        data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="affectstream-")))
        async with scoring(
            settings, scorer=scorer, engine=engine, cache=cache, output=output, data_dir=data_dir
        ) as run:
            registry = CollectorRegistry()
            registry.register(run.metrics)
            outbox = OutboxMetrics(engine, targets=run.relay.sinks)
            registry.register(outbox)
            address = await stack.enter_async_context(
                running(
                    health_app(run.checks, registry, (outbox.refresh,)),
                    settings.worker_host,
                    settings.worker_port,
                    option="--worker-port",
                    anywhere=True,
                )
            )
            log.info("worker_started", health=address, group=settings.group)
            await run.until(stop)
    log.info("worker_stopped")
