"""The dashboard as an application: two pages, their points, and one reader of the API."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from streams.serving.dashboard.board import Board
from streams.serving.dashboard.client import ApiClient
from streams.serving.dashboard.conversation_page import conversation_page
from streams.serving.dashboard.data import Desk, router
from streams.serving.dashboard.live_page import live_page

ASSETS: Final = Path(__file__).parent / "assets"


def create_dashboard(api_url: str) -> FastAPI:
    """Build the dashboard for the API at `api_url`. One to a process: NiceGUI is global."""
    client = ApiClient(api_url)
    board = Board(client)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(board.run(), name="board")
        try:
            async with client:
                yield
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.mount("/assets", StaticFiles(directory=ASSETS))

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "alive"}

    app.include_router(router(lambda _: Desk(board, client)))

    @ui.page("/", title="Live calls · affectstream")
    def live() -> None:
        live_page(board)

    @ui.page("/conversations/{conversation}", title="Conversation · affectstream")
    async def one(conversation: str, at: str = "") -> None:
        await conversation_page(board, client, conversation, at)

    ui.run_with(app, favicon=ASSETS / "icon.svg", show_welcome_message=False, tailwind=False)
    return app
