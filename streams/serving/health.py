"""Health and metrics of a process that serves nothing else."""

from collections.abc import Sequence

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from streams.serving import problems
from streams.serving.api.health import Check, Refresh, router


def health_app(
    checks: Sequence[Check], registry: CollectorRegistry, refreshes: Sequence[Refresh] = ()
) -> FastAPI:
    """`/healthz`, `/readyz` and `/metrics`, and nothing else."""
    app = FastAPI(title="affectstream worker", openapi_url=None, docs_url=None, redoc_url=None)
    problems.install(app)
    app.include_router(router(checks, registry, refreshes))
    return app
