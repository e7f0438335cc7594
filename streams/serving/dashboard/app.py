"""The dashboard as an application: who may come in, the pages, and points of their charts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Final

from fastapi import FastAPI, Query
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from streams.serving.dashboard import data
from streams.serving.dashboard.alerts.page import alerts_page
from streams.serving.dashboard.conversation.page import conversation_page
from streams.serving.dashboard.desk import Desks
from streams.serving.dashboard.door import signin
from streams.serving.dashboard.door.guard import Door, Guard
from streams.serving.dashboard.door.sessions import Sessions
from streams.serving.dashboard.live.page import live_page
from streams.serving.dashboard.privacy.page import privacy_page
from streams.serving.dashboard.rules.page import rules_page
from streams.serving.dashboard.search.page import search_page
from streams.serving.dashboard.shell.frame import admitted
from streams.serving.dashboard.system.page import system_page
from streams.serving.dashboard.trends.calls import calls_page
from streams.serving.dashboard.trends.page import trends_page

ASSETS: Final = Path(__file__).parent / "assets"


def create_dashboard(api_url: str) -> FastAPI:
    """Build the dashboard for the API at `api_url`. One to a process: NiceGUI is global.

    Whoever the API serves without a credential sees pages without signing in.
    """
    desks = Desks(api_url)
    door = Door(desks, Sessions())

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(desks.run(), name="desks")
        try:
            yield
        finally:
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.add_middleware(Guard, door=door)
    app.mount("/assets", StaticFiles(directory=ASSETS))
    app.include_router(signin.router(door, signin.Attempts()))

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "alive"}

    app.include_router(data.router(lambda request: request.state.admitted.desk))

    _pages()
    ui.run_with(
        app, favicon=ASSETS / "icon.svg", show_welcome_message=False, tailwind=False, dark=None
    )
    return app


def _pages() -> None:
    """Every page, for whoever the guard let through."""

    @ui.page("/", title="Live calls · affectstream")
    def live() -> None:
        live_page(admitted().desk.board)

    @ui.page("/conversations/{conversation}", title="Conversation · affectstream")
    async def one(conversation: str, at: str = "") -> None:
        desk = admitted().desk
        await conversation_page(desk.board, desk.client, conversation, at)

    @ui.page("/alerts", title="Alerts · affectstream")
    async def alerts() -> None:
        await alerts_page(admitted().desk)

    @ui.page("/search", title="Search · affectstream")
    async def search(q: str = "", label: str = "") -> None:
        await search_page(admitted().desk, q, label)

    @ui.page("/rules", title="Rules · affectstream")
    async def rules() -> None:
        await rules_page(admitted().desk)

    @ui.page("/trends", title="Trends · affectstream")
    async def trends() -> None:
        await trends_page(admitted().desk)

    @ui.page("/calls", title="Calls · affectstream")
    async def calls(
        group: str = "queue",
        key: str = "",
        start: Annotated[str, Query(alias="from")] = "",
        end: Annotated[str, Query(alias="to")] = "",
    ) -> None:
        await calls_page(admitted().desk, group, key, start, end)

    @ui.page("/privacy", title="Privacy · affectstream")
    async def privacy() -> None:
        await privacy_page(admitted().desk)

    @ui.page("/system", title="System · affectstream")
    async def system() -> None:
        await system_page(admitted().desk)
