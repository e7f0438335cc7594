"""The dashboard as an application: two pages, their points, and one reader of the API."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
from fastapi import FastAPI, Query, Response
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from streams.serving.dashboard.board import Board
from streams.serving.dashboard.client import (
    ApiClient,
    ApiUnavailableError,
    UnknownConversationError,
)
from streams.serving.dashboard.conversation_page import conversation_page
from streams.serving.dashboard.live_page import live_page
from streams.serving.dashboard.points import points

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

    @app.get("/points/{conversation}/{participant}")
    async def chart_points(
        conversation: str,
        participant: str,
        after: Annotated[int, Query(ge=0)] = 0,
        names: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        try:
            timeline = await board.timeline(conversation)
        except ApiUnavailableError:
            return Response(status_code=503)
        except UnknownConversationError:
            return Response(status_code=404)
        if participant not in timeline.call.standings:
            return Response(status_code=404)
        body = points(timeline.drawn(participant), after, names)
        return Response(msgspec.json.encode(body), media_type="application/json")

    @ui.page("/", title="Live calls · affectstream")
    def live() -> None:
        live_page(board)

    @ui.page("/conversations/{conversation}", title="Conversation · affectstream")
    async def one(conversation: str) -> None:
        await conversation_page(board, client, conversation)

    ui.run_with(app, favicon=ASSETS / "icon.svg", show_welcome_message=False, tailwind=False)
    return app
