"""The bundled call raises alerts where people look, and only where they may look.

The demo plays once, in real time: what was seen on the way is kept, and each test reads its part.
"""

import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.async_api import Page, expect

from inference.contract import parse_time
from streams.alerts.rule import shipped_rules
from tests.browser.demo_process import demo
from tests.browser.pages_process import dashboard
from tests.browser.screens import CHROMIUM, browsing

pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no chromium: apt-get install chromium"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]
RULE = "sustained-distress"
ANGRY_FROM_S, ANGRY_UNTIL_S = 25, 48
"""Where streams/demo/build_conversation.py put the angry recordings of the customer."""
CALL_S = 72
"""It lasts no longer."""
CHART = "el => getElement(Number(el.id.slice(1))).chart.getOption().series"
EXPORTS = ("csv", "jsonl", "parquet", "vtt", "emotionml")


@dataclass
class Played:
    """What was to be seen of the demo, from its first second to after its end."""

    folder: Path
    call: dict[str, Any] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    """What the terminal said of alerts."""
    on_live: str = ""
    """The mark of the alert on the live page, while the call ran."""
    on_axis: dict[str, Any] = field(default_factory=dict)
    """Lines of the customer's chart."""
    address: str = ""
    """Of the conversation page, where the alert's link led."""
    explained: str = ""
    """What the conversation page said of that second."""
    elsewhere: str = ""
    """The alert on a second page that was open when somebody acknowledged it on the first."""
    acknowledged: dict[str, Any] = field(default_factory=dict)
    """What the API said of the alert then."""
    alerts: list[dict[str, Any]] = field(default_factory=list)
    """Every alert, once the call was over."""
    episodes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """What a back-test of each shipped rule found then."""
    complaints: list[str] = field(default_factory=list)
    """Of the browsers."""

    @property
    def database(self) -> Path:
        """A copy of what the demo had stored."""
        return self.folder / "copy.db"

    @property
    def alert(self) -> dict[str, Any]:
        """The first of `RULE`."""
        return next(one for one in self.alerts if one["rule"] == RULE)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    seen = Played(tmp_path_factory.mktemp("played"))
    asyncio.run(play(seen))
    return seen


async def play(seen: Played) -> None:
    """One run of the demo, looked at with two browsers."""
    home = seen.folder / "home"
    home.mkdir()
    async with (
        demo(home) as (url, api_url, lines),
        httpx.AsyncClient(base_url=f"{api_url}/v1") as api,
        browsing() as (first, complaints),
        browsing() as (second, others),
    ):
        over = asyncio.create_task(listen(lines, seen.told))
        await second.goto(f"{url}/alerts")
        await first.goto(url)
        await expect(first.locator(".call")).to_be_visible()
        await while_it_runs(seen, url, api, first, second)
        await over
        await once_it_is_over(seen, api)
        (stored,) = home.glob("*/demo.db")
        with (
            closing(sqlite3.connect(stored)) as there,
            closing(sqlite3.connect(seen.database)) as here,
        ):
            there.backup(here)
        seen.complaints = complaints + others


async def listen(lines: asyncio.StreamReader, told: list[str]) -> None:
    """Keep what the terminal says beside scores, until the call is over."""
    async for raw in lines:
        line = raw.decode().strip()
        if "call is over" in line:
            return
        if " distress " not in line or " alert over: " in line or " ALERT " in line:
            told.append(line)


async def while_it_runs(
    seen: Played, url: str, api: httpx.AsyncClient, first: Page, second: Page
) -> None:
    """The alert appears, is acknowledged on one page, and the other follows."""
    mark = first.locator(".mark-alert", has_text="sustained distress")
    await expect(mark).to_be_visible(timeout=CALL_S * 1_000)
    seen.on_live = await first.locator(".call", has=mark).inner_text()
    (alert,) = (await api.get("/alerts", params={"state": "open", "rule": RULE})).json()["items"]
    there = second.locator(f"[data-alert='{alert['id']}']")
    await expect(there).to_be_visible()
    await first.goto(f"{url}/alerts")
    card = first.locator(f"[data-alert='{alert['id']}']")
    await card.get_by_role("button", name="Acknowledge").click()
    await expect(there).to_contain_text("acknowledged by")
    seen.elsewhere = await there.inner_text()
    seen.acknowledged = (await api.get(f"/alerts/{alert['id']}")).json()
    (seen.call,) = (await api.get("/conversations")).json()["items"]
    await card.locator("a.id").click()
    seen.address = first.url
    section = first.locator("section", has=first.locator(".chart"), has_text="customer")
    await expect(section).to_contain_text("Back to the newest")
    seen.explained = await section.inner_text()
    await first.wait_for_function(f"({CHART})(document.querySelector('.chart')).length > 1")
    drawn = await section.locator(".chart").evaluate(CHART)
    seen.on_axis = {line["name"]: line["data"] for line in drawn}


async def once_it_is_over(seen: Played, api: httpx.AsyncClient) -> None:
    """What live made of the call, and what the same rules make of what it stored."""
    begin, end = seen.call["started"], "2100-01-01T00:00:00Z"
    seen.alerts = (await api.get("/alerts")).json()["items"]
    for rule in (await api.get("/rules")).json()["items"]:
        asked = {"rule": rule["spec"], "from": begin, "to": end}
        answer = await api.post("/rules/backtest", json=asked)
        seen.episodes[rule["name"]] = answer.raise_for_status().json()["episodes"]


def test_the_live_page_marks_the_call_while_it_turns_angry(played: Played) -> None:
    assert played.complaints == []
    assert "demo" in played.on_live
    begin_ns = parse_time(played.call["started"])
    fired_s = (parse_time(played.alert["fired"]) - begin_ns) / 1e9
    assert ANGRY_FROM_S < fired_s < ANGRY_UNTIL_S
    assert played.alert["participant"] == "customer"


def test_acknowledging_on_a_page_reaches_the_api_and_every_other_page(played: Played) -> None:
    assert played.acknowledged["state"] in {"firing", "resolving"}
    assert played.acknowledged["acknowledged"]["by"] == "local"
    assert "acknowledged by local" in played.elsewhere
    assert played.alert["acknowledged"] == played.acknowledged["acknowledged"]


def test_an_alert_leads_to_its_second_and_stands_on_the_axis(played: Played) -> None:
    alert, since_ns = played.alert, parse_time(played.alert["since"])
    assert alert["link"] in played.address
    local = datetime.fromtimestamp(since_ns // 10**9, ZoneInfo("Europe/Berlin"))
    assert f"to {local:%H:%M:%S}" in played.explained
    fired_ms = parse_time(alert["fired"]) // 10**6
    assert [fired_ms, 100] in played.on_axis["alerts"]


def test_the_terminal_tells_each_alert_when_it_fires_and_when_it_is_over(played: Played) -> None:
    begin_ns = parse_time(played.call["started"])
    told = "\n".join(played.told)
    assert len(played.alerts) >= 2
    for alert in played.alerts:
        fired_s = (parse_time(alert["fired"]) - begin_ns) / 1e9
        fires = f"{fired_s:.1f} s  ALERT ({alert['severity']}): {alert['rule']}, customer"
        assert told.count(fires) == 1
        over_s = (parse_time(alert["resolved"]) - begin_ns) / 1e9
        assert told.count(f"{over_s:.1f} s  alert over: {alert['rule']}, customer") == 1
        assert told.count(alert["link"]) == 1


def test_a_back_test_of_each_shipped_rule_gives_exactly_what_live_gave(played: Played) -> None:
    parts = ("conversation", "participant", "since", "fired", "resolved", "peak")
    assert set(played.episodes) == set(shipped_rules())
    for rule, episodes in played.episodes.items():
        live = [one for one in played.alerts if one["rule"] == rule]
        assert episodes == [{part: one[part] for part in parts} for one in reversed(live)]
        assert all(one["resolved"] for one in live), "the call is over"


async def test_only_its_own_tenant_sees_the_call_and_the_alert(
    played: Played, redis_url: str
) -> None:
    environment = {
        "AFFECTSTREAM_DATABASE_URL": f"sqlite+aiosqlite:///{played.database}",
        "AFFECTSTREAM_CACHE_URL": redis_url,
        "AFFECTSTREAM_LOG_FORMAT": "json",
    }
    ours, theirs = [
        await new_key(environment, *who) for who in (("ada", "default"), ("bob", "other"))
    ]
    async with (
        serve(environment) as api_url,
        dashboard(api_url) as url,
        browsing() as (first, complaints),
        browsing() as (second, others),
    ):
        await sign_in(first, url, "as_" + "x" * 43)
        await expect(first.get_by_role("alert")).to_contain_text("does not take this key")
        assert complaints.pop().startswith("error: Failed to load resource")  # the 401
        await first.goto(f"{url}/conversations/{played.call['id']}")
        await expect(first.get_by_label("API key or token")).to_be_visible()
        await sign_in(first, url, ours)
        await sign_in(second, url, theirs)
        assert await mentions(first, url, played) == NAMING
        assert await mentions(second, url, played) == set()
        for form in EXPORTS:
            path = f"{url}/export/{played.call['id']}/{form}"
            assert (await first.request.get(path)).status == 200
            assert (await second.request.get(path)).status == 404
        assert await of_api(api_url, ours, played) == (200, 200, 200, len(played.alerts))
        assert await of_api(api_url, theirs, played) == (404, 404, 200, 0)

        cookies = await first.context.cookies()
        await first.get_by_role("button", name="Sign out").click()
        await expect(first.get_by_label("API key or token")).to_be_visible()
        await first.context.add_cookies(
            [{"name": one["name"], "value": one["value"], "url": url} for one in cookies]
        )
        await first.goto(f"{url}/alerts")
        await expect(first.get_by_label("API key or token")).to_be_visible()
        assert (await first.request.get(path)).status == 401
    assert [one for one in complaints + others if "404" not in one] == []


READY = {
    "": "#live-none",
    "conversations/{id}": "section .chart, .card.empty",
    "alerts": "[data-alert='{alert}'], .card.empty:has-text('Nothing matches')",
    "privacy": "text=Erasures",
    "calls?group=queue&key=demo&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z": "text=newest",
    "rules": "text=New rule",
    "trends": "text=Against the week before",
    "system": ".tiles",
}
"""Pages, and what they show once they have asked the API."""
NAMING = set(list(READY)[:5])
"""Those that name a call that is over."""


async def mentions(page: Page, url: str, played: Played) -> set[str]:
    """Pages on which the call appears, for whoever is signed in."""
    found = set()
    for path, ready in READY.items():
        await page.goto(f"{url}/{path.format(id=played.call['id'])}")
        if path == "alerts":
            await page.get_by_label("State").select_option("resolved")
        there = page.locator(ready.format(alert=played.alert["id"])).first
        await expect(there).to_be_visible()
        await expect(page.get_by_text("Loading", exact=True)).to_have_count(0)
        is_address = path.startswith("conversations")  # has the id in it
        named = await page.locator("main, .page").first.inner_html()
        if ("customer" if is_address else played.call["id"]) in named:
            found.add(path)
    return found


async def of_api(api_url: str, key: str, played: Played) -> tuple[int, int, int, int]:
    """What the API answers about the call, the alert and all alerts, and how many those are."""
    call, alert = f"/conversations/{played.call['id']}", f"/alerts/{played.alert['id']}"
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=f"{api_url}/v1", headers=headers) as api:
        answers = [await api.get(path) for path in (call, alert, "/alerts")]
    one, two, three = (answer.status_code for answer in answers)
    return one, two, three, len(answers[2].json()["items"])


async def sign_in(page: Page, url: str, key: str) -> None:
    await page.goto(f"{url}/signin")
    await page.get_by_label("API key or token").fill(key)
    await page.get_by_role("button", name="Sign in").click()


async def new_key(environment: Mapping[str, str], name: str, tenant: str) -> str:
    """What `affectstream keys create` prints."""
    process = await command(environment, "keys", "create", name, "--rank", "admin",
        "--tenant", tenant)  # fmt: skip
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    return out.decode().strip()


@asynccontextmanager
async def serve(environment: Mapping[str, str]) -> AsyncIterator[str]:
    """The API as a process; its address."""
    process = await command(environment, "serve", "--api-port", "0")
    assert process.stderr is not None
    try:
        while True:
            line = await asyncio.wait_for(process.stderr.readline(), 60)
            assert line, f"serve ended with {await process.wait()}"
            if b'"listening"' in line:
                break
        draining = asyncio.create_task(process.stderr.read())
        yield json.loads(line)["url"]
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0, (await draining).decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def command(environment: Mapping[str, str], *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli", *arguments),
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
