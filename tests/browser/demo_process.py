"""The demo as a process, as a stranger starts it."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def demo(folder: Path) -> AsyncIterator[tuple[str, str, asyncio.StreamReader]]:
    """Page, API and standard output of a running demo; Ctrl-C ends it with code 0."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AFFECTSTREAM_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli", "demo", "--no-open"),
        *("--api-port", "0", "--dashboard-port", "0"),
        cwd=folder,
        env={**environment, "TMPDIR": str(folder), "HOME": str(folder), "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        page = api = ""
        while not page:
            line = (await process.stderr.readline()).decode()
            assert line, f"the demo ended with {await process.wait()}"
            if found := re.search(r"page (http\S+) +API (http://[^/]+)", line):
                page, api = found.groups()
        draining = asyncio.create_task(process.stderr.read())
        yield page, api, process.stdout
        process.send_signal(signal.SIGINT)
        await process.stdout.read()
        assert await asyncio.wait_for(process.wait(), 30) == 0, (await draining).decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert os.listdir(folder) == [], "Ctrl-C leaves nothing behind"  # noqa: PTH208 - async
