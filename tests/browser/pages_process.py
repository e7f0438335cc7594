"""The dashboard as a process of its own, in front of an API that keeps everything in memory."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.serving.server import running
from tests.fake_api import FakeApi


@asynccontextmanager
async def serving(api: FakeApi) -> AsyncIterator[str]:
    """Where the API answers."""
    async with running(api.app, "127.0.0.1", 0, option="-", before_drain=api.closing.set) as url:
        yield url


@asynccontextmanager
async def dashboard(api_url: str) -> AsyncIterator[str]:
    """The command as a process; ends on SIGTERM with code 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams.cli", "dashboard",
        "--dashboard-port", "0", "--api-url", api_url,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONWARNINGS": "default"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        yield line.decode().strip()
    finally:
        if process.returncode is None:
            process.terminate()
        code = await asyncio.wait_for(process.wait(), 20)
    assert code == 0
