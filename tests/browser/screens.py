"""A browser to look at pages with, and what it complained about.

As a program: `python -m tests.browser.screens URL FILE.png [WIDTH HEIGHT]` takes a picture.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import ConsoleMessage, Page, async_playwright, expect

PATIENCE_MS = 40_000
"""How long a page may take to show what is expected: a loaded machine is no failure."""
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


@asynccontextmanager
async def browsing(width: int = 1280, height: int = 800) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page of headless Chromium, and a list that its errors are added to.

    It may talk to loopback only: whatever it asks for elsewhere is an error.
    """
    expect.set_options(timeout=PATIENCE_MS)
    errors: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            errors.append(f"{message.type}: {message.text}")

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(
            viewport={"width": width, "height": height},
            timezone_id="Europe/Berlin",
            locale="en-GB",
            reduced_motion="reduce",
        )
        page = await context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: errors.append(f"page: {error}"))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.split("/")[2].split(":")[0] == "127.0.0.1"
                or request.url.startswith(("data:", "blob:"))
                else errors.append(f"outside: {request.url}")
            ),
        )
        try:
            yield page, errors
        finally:
            await browser.close()


async def picture(page: Page, path: Path) -> None:
    """Save the top of the page, with nothing under the mouse."""
    await page.mouse.move(0, 0)
    await page.evaluate("scrollTo(0, 0)")
    await page.wait_for_timeout(400)  # what the mouse had opened fades out
    await page.screenshot(path=path, animations="disabled", scale="css")


async def _main(url: str, path: str, width: str = "1280", height: str = "800") -> None:
    async with browsing(int(width), int(height)) as (page, errors):
        await page.goto(url, wait_until="networkidle")
        await page.wait_for_timeout(1_500)  # charts fetch their points and draw them
        await picture(page, Path(path))
        for error in errors:
            sys.stderr.write(f"{error}\n")


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
