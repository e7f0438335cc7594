"""Signing in, and the pages Alerts, Rules, Trends, Privacy and System, in a real browser."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.axe import violations
from tests.browser.pages_process import dashboard, serving
from tests.browser.screens import CHROMIUM, browsing
from tests.fake_api import ADA, ALICE, BOB, VICTOR, FakeApi, alert

PAGES = ("", "alerts", "search?q=calm", "rules", "trends", "privacy", "system")
pytestmark = pytest.mark.skipif(
    not Path(CHROMIUM).exists(), reason="no chromium: apt-get install chromium"
)


@asynccontextmanager
async def pages(api: FakeApi) -> AsyncIterator[str]:
    async with serving(api) as api_url, dashboard(api_url) as url:
        yield url


async def sign_in(page: Page, url: str, key: str, path: str = "alerts") -> None:
    await page.goto(f"{url}/{path}")
    await page.get_by_label("API key or token").fill(key)
    await page.get_by_role("button", name="Sign in").click()


async def test_a_supervisor_signs_in_sees_an_alert_acknowledges_it_and_signs_out() -> None:
    api = FakeApi()
    async with pages(api) as url, browsing() as (page, errors):
        await sign_in(page, url, "as_wrong")
        await expect(page.get_by_role("alert")).to_contain_text("does not take this key")
        assert errors.pop().startswith("error: Failed to load resource")  # the browser notes 401
        await sign_in(page, url, ALICE)
        card = page.locator("[data-alert=a-1]")
        await expect(card).to_contain_text("A customer sounds distressed")
        cookies = await page.context.cookies()
        session = next(one for one in cookies if one["name"] == "affectstream-session")
        assert session["httpOnly"]
        assert session["sameSite"] == "Strict"
        assert ALICE not in json.dumps(cookies)
        cards = page.locator("[data-alert]")
        assert await cards.evaluate_all("all => all.map(one => one.dataset.alert)") == [
            "a-1",
            "a-2",
            "a-3",
        ]
        await expect(page.get_by_role("link", name="Privacy")).to_be_hidden()

        await expect(card).to_contain_text("The customer would be called distressed from 2:05")
        await expect(page.locator("[data-alert=a-3]")).not_to_contain_text("Told by")
        await page.keyboard.press("j")
        await page.keyboard.press("a")
        await expect(card).to_contain_text("acknowledged by alice")
        assert api.posted == [("alice", "POST", "alerts/a-1/acknowledge", {})]
        await expect(card.get_by_role("button", name="Acknowledge")).to_be_hidden()
        await card.get_by_label("Note on the verdict").fill("a laugh")
        await card.get_by_role("button", name="wrong").click()
        await expect(card).to_contain_text("judged wrong by alice")
        assert api.posted[-1][2:] == ("alerts/a-1/verdict", {"verdict": "wrong", "note": "a laugh"})
        await card.get_by_role("button", name="Snooze 1 h").click()
        await expect(card).to_contain_text("snoozed by alice until")
        assert await cards.last.get_attribute("data-alert") == "a-1"
        await card.get_by_role("button", name="End snooze").click()
        await expect(card).not_to_contain_text("snoozed by")

        fresh = alert("a-9", conversation="call-9")
        api.alerts["acme"].append(fresh)
        await api.tell("firing", "acme", fresh)
        await expect(page.locator("[data-alert=a-9]")).to_be_visible()
        await expect(page.get_by_role("link", name="Alerts (4)")).to_be_visible()
        await page.get_by_label("Severity").select_option("info")
        await expect(page.locator("[data-alert=a-9]")).to_be_hidden()
        await expect(page.locator("[data-alert=a-3]")).to_be_visible()

        await page.get_by_role("button", name="Retry").click()
        await expect(page.get_by_text("every message found its target")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("API key or token")).to_be_visible()
        await page.goto(f"{url}/alerts")
        await expect(page.get_by_label("API key or token")).to_be_visible()
    assert errors == []


async def test_another_tenant_and_a_viewer_see_no_more_than_they_may() -> None:
    api = FakeApi()
    async with pages(api) as url, browsing() as (first, errors), browsing() as (second, others):
        await sign_in(first, url, ALICE)
        await expect(first.locator("[data-alert=a-1]")).to_be_visible()
        await sign_in(second, url, BOB)
        await expect(second.get_by_text("No open alert")).to_be_visible()
        await expect(second.locator(".who")).to_contain_text("bob · other")
        told = alert("a-9")
        api.alerts["acme"].append(told)
        await api.tell("firing", "acme", told)
        await expect(first.locator("[data-alert=a-9]")).to_be_visible()
        assert await second.locator("[data-alert]").count() == 0
        for page in PAGES:
            await second.goto(f"{url}/{page}")
            await expect(second.locator(".state")).to_have_text("connected")
            for theirs in ("call-a-1", "billing", "c-9", "acme"):
                await expect(second.locator("body")).not_to_contain_text(theirs)
        await second.context.clear_cookies()
        await sign_in(second, url, VICTOR)
        card = second.locator("[data-alert=a-1]")
        await expect(card).to_be_visible()
        assert await card.get_by_role("button").count() == 0
        await second.goto(f"{url}/privacy")
        await expect(second.get_by_text("Not for this account")).to_be_visible()
    assert errors == others == []


async def test_a_rule_is_tried_out_corrected_saved_and_switched_off() -> None:
    api = FakeApi()
    async with pages(api) as url, browsing() as (page, errors):
        await sign_in(page, url, ALICE, "rules")
        await page.get_by_role("button", name="Edit sustained-distress").click()
        await page.get_by_role("button", name="Run back-test").click()
        await expect(page.locator(".plot canvas").first).to_be_visible()
        await expect(page.get_by_text("5, 1.47 an hour")).to_be_visible()
        await page.get_by_role("button", name="Take the suggestion").click()
        await expect(page.get_by_label("Raised at")).to_have_value("0.7")
        await page.get_by_label("Raised at").fill("7")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("between 0 and 1")).to_be_visible()
        await expect(page.get_by_label("Raised at")).to_have_attribute("aria-invalid", "true")
        await page.get_by_label("Raised at").fill("0.7")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("sustained-distress saved as version 1")).to_be_visible()
        assert api.posted[-1][3]["enter"] == 0.7
        assert api.posted[-1][3]["runbook"] == "sustained-distress"
        await page.get_by_role("button", name="Edit sustained-distress").click()
        await page.get_by_role("button", name="Switch off").click()
        assert api.posted[-1][1] == "PUT"
        await page.get_by_role("button", name="Really switch off?").click()
        await expect(page.get_by_text("sustained-distress is off")).to_be_visible()
    assert [one for one in errors if "422" not in one] == []


async def test_moments_are_found_and_a_label_is_made_judged_and_deleted() -> None:
    api = FakeApi()
    async with pages(api) as url, browsing() as (page, errors):
        await sign_in(page, url, ALICE, "search")
        await page.get_by_label("What it sounded like").fill("raised voice")
        await page.get_by_label("What it sounded like").press("Enter")
        first = page.locator(".moment").first
        await expect(first).to_contain_text("I want my money back")
        await expect(first).to_contain_text("anger")
        await expect(page.locator(".moment").last).to_contain_text("partly expected")
        await expect(page.get_by_text("3 older windows cannot be compared")).to_be_visible()
        link = await first.get_by_role("link").get_attribute("href")
        assert (link or "").startswith("/conversations/call-a-1?at=")
        assert await first.get_by_role("button").count() == 0, "there is no label to judge"

        await page.get_by_role("button", name="Show moments of fed-up").click()
        await expect(page.get_by_text("Ranked only: 2 of 20 examples judged")).to_be_visible()
        await first.get_by_role("button", name="does not").click()
        await expect(page.get_by_text("fed-up: 3 of 20 judged: ranked only.")).to_be_visible()
        sent = api.posted[-1]
        assert sent[:3] == ("alice", "POST", "labels/fed-up/judgements")
        assert (sent[3]["conversation"], sent[3]["holds"]) == ("call-a-1", False)

        await page.get_by_role("button", name="New label").click()
        await page.get_by_label("Name").fill("two words")
        await page.get_by_label("Sentences that describe it").fill("speaks slowly\nsounds resigned")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("letters, digits and")).to_be_visible()
        await page.get_by_label("Name").fill("resigned")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("Moments near the label resigned")).to_be_visible()
        put = ("alice", "PUT", "labels/resigned")
        assert api.posted[-1] == (*put, {"prompts": ["speaks slowly", "sounds resigned"]})
        await page.get_by_role("button", name="Delete resigned").click()
        await expect(page.get_by_text("resigned was deleted")).to_be_visible()
        await expect(page.locator(".own")).to_have_count(1)
    assert errors == []


async def test_a_viewer_finds_moments_and_judges_none() -> None:
    async with pages(FakeApi()) as url, browsing() as (page, errors):
        await sign_in(page, url, VICTOR, "search?label=fed-up")
        await expect(page.locator(".moment").first).to_be_visible()
        for name in ("holds", "Edit fed-up", "Delete fed-up", "New label"):
            assert await page.get_by_role("button", name=name).count() == 0
    assert errors == []


async def test_an_erasure_needs_its_words_typed_and_leaves_a_receipt() -> None:
    api = FakeApi()
    async with pages(api) as url, browsing() as (page, errors):
        await sign_in(page, url, ADA, "privacy")
        await expect(page.get_by_text("staff emotion from voice is off")).to_be_visible()
        await page.get_by_label("Its id").fill("c-1")
        await page.get_by_role("button", name="Erase for good").click()
        await expect(page.get_by_text("type: erase c-1")).to_be_visible()
        assert api.posted == []
        await page.get_by_label("To confirm").fill("erase c-1")
        await page.get_by_role("button", name="Erase for good").click()
        await expect(page.get_by_role("status").filter(has_text="Erased.")).to_be_visible()
        assert api.posted == [("ada", "POST", "erasures", {"conversation": "c-1"})]
        await expect(page.locator("td", has_text="er-1")).to_be_visible()
    assert errors == []


async def test_trends_say_what_is_no_news_and_lead_to_calls() -> None:
    api = FakeApi()
    async with pages(api) as url, browsing() as (page, errors):
        await sign_in(page, url, ALICE, "trends")
        await expect(page.get_by_text("no clear change", exact=True)).to_be_visible()
        await expect(page.get_by_text("up 8.0 points")).to_be_visible()
        await expect(page.get_by_text("Conversations with scores: 99.")).to_be_visible()
        await expect(page.get_by_text("Told by summary-1+template-1")).to_be_visible()
        await expect(page.get_by_text("fewer than 5 conversations").first).to_be_visible()
        await page.get_by_label("By", exact=True).select_option("agent")
        await expect(page.get_by_text("what their customers expressed")).to_be_visible()
        await page.get_by_label("By", exact=True).select_option("queue")
        await page.locator("a[href*='group=queue&key=billing']").first.click()
        await expect(page.get_by_role("link", name="c-1")).to_be_visible()
    assert errors == []


async def test_a_missing_route_and_an_api_that_goes_away_are_said_with_the_time() -> None:
    api = FakeApi(open=True)
    api.missing = ("trends",)
    async with pages(api) as url, browsing() as (page, errors):
        await page.goto(f"{url}/trends")
        await expect(page.get_by_text("Not available").first).to_be_visible()
        await page.goto(f"{url}/system")
        await expect(page.get_by_text("2.4 s", exact=True)).to_be_visible()
        api.away = True
        await expect(page.get_by_text("What is shown is from")).to_be_visible()
        await expect(page.get_by_text("2.4 s", exact=True)).to_be_visible()
        api.away = False
        await expect(page.get_by_text("What is shown is from")).to_be_hidden()
    assert errors == []


async def test_a_theme_is_remembered_and_there_before_the_page_is_drawn() -> None:
    async with pages(FakeApi(open=True)) as url, browsing() as (page, errors):
        await page.goto(f"{url}/system")
        toggle = page.get_by_role("button", name="Theme: system")
        await toggle.click()
        await page.get_by_role("button", name="Theme: light").click()
        dark = "getComputedStyle(document.body).backgroundColor"
        assert await page.evaluate(dark) == "rgb(15, 21, 30)"
        await page.goto(f"{url}/alerts", wait_until="commit")
        await page.wait_for_function("document.body")
        assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert errors == []


@pytest.mark.slow
async def test_every_page_fits_a_phone_and_reads_without_eyes() -> None:
    async with pages(FakeApi()) as url, browsing(390, 844) as (page, errors):
        await page.goto(f"{url}/alerts")
        assert await violations(page) == []
        await sign_in(page, url, ADA)
        for name in PAGES:
            for theme in ("light", "dark"):
                await page.evaluate(f"localStorage.setItem('affectstream-theme', '{theme}')")
                await page.goto(f"{url}/{name}")
                await expect(page.locator(".state")).to_have_text("connected")
                await expect(page.get_by_text("Loading", exact=True)).to_have_count(0)
                width = await page.evaluate("document.documentElement.scrollWidth")
                assert width == 390, name
                assert await violations(page) == [], (name, theme)
        await page.get_by_role("button", name="Menu").click()
        await page.get_by_role("link", name="Trends").click()
        await expect(page).to_have_url(f"{url}/trends")
    assert errors == []
