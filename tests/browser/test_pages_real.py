"""Every page over the real API and a database that the real stores filled."""

import re
import time
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from storage.values import ConsentChange, ConversationKey, PolicyNews, Ruling
from storage.withdrawal import PolicyStore
from tests.browser.axe import violations
from tests.browser.make_screenshots import PAGES, sign_in
from tests.browser.screens import CHROMIUM, browsing
from tests.browser.stage import DIGESTS, SECOND_NS, TENANT, Modality, Stage, stage

pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no chromium: apt-get install chromium"),
    pytest.mark.slow,
    pytest.mark.timeout(420),
]


def asking(set_up: Stage, who: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"{set_up.api_url}/v1",
        headers={"Authorization": f"Bearer {set_up.keys[who]}"},
    )


async def works_through_alerts(page: Page, set_up: Stage) -> None:
    """What was clicked stands in the API, under the name of who clicked."""
    url = set_up.page_url
    await sign_in(page, url, set_up.keys["alice"], "/alerts")
    card = page.locator("[data-alert]", has_text="c-2001").first
    await expect(card).to_contain_text("sustained distress")
    await expect(card).to_contain_text("The customer would be called distressed")
    await expect(card).to_contain_text("Told by template-1 from the evidence below")
    name = await card.get_attribute("data-alert")
    await card.get_by_role("button", name="Acknowledge").click()
    await expect(card).to_contain_text("acknowledged by alice")
    await card.get_by_label("Note on the verdict").fill("a laugh")
    await card.get_by_role("button", name="wrong").click()
    await expect(card).to_contain_text("judged wrong by alice")
    async with asking(set_up, "alice") as api:
        alert = (await api.get(f"/alerts/{name}")).json()
    assert alert["acknowledged"]["by"] == "alice"
    assert (alert["verdict"]["value"], alert["verdict"]["note"]) == ("wrong", "a laugh")
    await page.get_by_label("State").select_option("resolved")
    await expect(page.get_by_text("the conversation ended").first).to_be_visible()
    await expect(page.get_by_text("410 Gone").first).to_be_visible()
    await page.get_by_role("button", name="Retry").first.click()
    await expect(page.get_by_text("Tried again.")).to_be_visible()


async def tries_out_a_rule(page: Page, set_up: Stage) -> None:
    """A back-test over what is stored, a field that is refused, a version that is kept."""
    await page.goto(f"{set_up.page_url}/rules")
    await page.get_by_role("button", name="Edit sustained-distress").click()
    await page.get_by_label("Wanted alerts an hour").fill("2")
    await page.get_by_role("button", name="Run back-test").click()
    await expect(page.locator(".plot canvas").first).to_be_visible()
    await expect(page.get_by_label("Wanted alerts an hour")).to_have_value("2")
    await page.get_by_label("Raised at").fill("7")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Raised at")).to_have_attribute("aria-invalid", "true")
    await page.get_by_role("button", name="Take the suggestion").click()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("sustained-distress saved as version 2")).to_be_visible()
    async with asking(set_up, "alice") as api:
        rule = (await api.get("/rules/sustained-distress")).json()
    assert (rule["version"], rule["author"]) == (2, "alice")
    assert rule["spec"]["notify"] == ["webhook:crm"]


async def follows_a_trend_to_a_call(page: Page, set_up: Stage) -> None:
    """News, no news and what is withheld; from a figure to its calls."""
    await page.goto(f"{set_up.page_url}/trends")
    await expect(page.get_by_text(re.compile(r"^up \d+\.\d points"))).to_be_visible()
    await expect(page.get_by_text("no clear change", exact=True).first).to_be_visible()
    await expect(page.get_by_text("fewer than 5 conversations").first).to_be_visible()
    await expect(page.get_by_text("By queue billing reads highest")).to_be_visible()
    await page.get_by_label("By", exact=True).select_option("agent")
    await expect(page.get_by_text("what their customers expressed")).to_be_visible()
    await page.get_by_label("By", exact=True).select_option("queue")
    await page.locator("a[href*='group=queue&key=billing']").first.click()
    await expect(page.get_by_role("link", name=re.compile("^c-1")).first).to_be_visible()


async def reads_what_was_said(page: Page, set_up: Stage) -> None:
    """Kept words lead to their second, and an address to a second of the chart."""
    await page.goto(f"{set_up.page_url}/conversations/c-2001")
    story = page.locator(".card", has_text="In short")
    await expect(story).to_contain_text("would be called distressed from")
    await expect(story).to_contain_text("Told by template-1")
    line = page.locator(".transcript li", has_text="put right today")
    await expect(line).to_be_visible()
    await expect(page.locator(".chart").first).to_have_attribute(
        "data-points", re.compile(r"^[1-9]")
    )
    await line.get_by_role("link").click()
    await expect(page.get_by_role("button", name="Back to the newest").first).to_be_visible()
    assert re.search(r"at=20\d\d-\d\d-\d\dT", page.url)
    await page.locator(".chart").first.press("Escape")
    await expect(page.get_by_role("button", name="Back to the newest")).to_have_count(0)
    await page.goto(f"{set_up.page_url}/conversations/c-2002")
    await expect(page.locator(".chart canvas").first).to_be_visible()
    await expect(page.locator(".transcript")).to_be_hidden()


async def test_what_people_do_on_the_pages_reaches_the_api_and_no_other_tenant(
    tmp_path: Path,
) -> None:
    async with (
        stage(tmp_path) as set_up,
        browsing() as (page, errors),
        browsing() as (other, others),
    ):
        await works_through_alerts(page, set_up)
        await tries_out_a_rule(page, set_up)
        await follows_a_trend_to_a_call(page, set_up)
        await reads_what_was_said(page, set_up)
        await sign_in(other, set_up.page_url, set_up.keys["bob"])
        for path, _, _ in PAGES.values():
            await other.goto(set_up.page_url + path)
            await expect(other.locator(".state")).to_have_text("connected")
            await expect(other.get_by_text("Loading", exact=True)).to_have_count(0)
            for theirs in ("c-2", "billing", "alice", "webhook"):
                await expect(other.locator(".page")).not_to_contain_text(theirs)
    assert [one for one in errors if "422" not in one] == others == []


async def withdraw(set_up: Stage, conversation: str, at_ns: int) -> None:
    """Somebody says in the middle of their call that they do not agree any more."""
    call = next(one for one in set_up.calls if one.id == conversation)
    ruling = Ruling(
        participant="p-1",
        modality=Modality.SPEECH,
        at_ns=at_ns,
        allowed=False,
        reason="consent refused or withdrawn",
        profile="eu",
        facts={"role": "customer", "consent": "no"},
    )
    stored = call.stored.pop("p-1")  # its windows end here
    await PolicyStore(set_up.engine, DIGESTS).record(
        PolicyNews(
            key=ConversationKey(TENANT, conversation),
            run="live",
            rulings=(ruling,),
            consents=(ConsentChange(participant="p-1", at_ns=at_ns, consent="no"),),
            passed={"p-1": stored.closed_until_ns},
            events=4,
        )
    )


async def test_an_open_page_drops_what_was_withdrawn_and_says_when_it_is_erased(
    tmp_path: Path,
) -> None:
    async with (
        stage(tmp_path) as set_up,
        browsing() as (page, errors),
        browsing() as (officer, others),
    ):
        await sign_in(page, set_up.page_url, set_up.keys["alice"], "/conversations/c-2012")
        chart = page.locator(".chart").first
        await expect(chart).to_have_attribute("data-points", re.compile(r"^[345]\d\d$"))
        await withdraw(set_up, "c-2012", time.time_ns() - 200 * SECOND_NS)
        said = page.get_by_text(re.compile("Consent withdrawn at"))
        await expect(said).to_be_visible()
        await expect(chart).to_have_attribute("data-points", re.compile(r"^[12]\d\d$"))

        await sign_in(officer, set_up.page_url, set_up.keys["ada"], "/privacy")
        await expect(officer.locator("td", has_text="alert.acknowledge")).to_be_attached()
        await officer.get_by_label("What").select_option("conversation")
        await officer.get_by_label("Its id").fill("c-2012")
        await officer.get_by_label("To confirm").fill("erase c-2012")
        await officer.get_by_role("button", name="Erase for good").click()
        await expect(officer.get_by_text("Erased. Receipt")).to_be_visible()
        await expect(page.get_by_text("This conversation is gone")).to_be_visible()
        await expect(page.locator(".chart")).to_have_count(0)
    assert errors == others == []


@pytest.mark.parametrize("width", [1280, 390])
async def test_every_page_fits_its_screen_and_reads_without_eyes(
    tmp_path: Path, width: int
) -> None:
    async with stage(tmp_path, runs=False) as set_up, browsing(width, 844) as (page, errors):
        await page.goto(f"{set_up.page_url}/signin")
        assert await violations(page) == []
        for theme in ("light", "dark"):
            who = ""
            for name, (path, needed, ready) in PAGES.items():
                if who != needed:
                    await sign_in(page, set_up.page_url, set_up.keys[needed])
                    who = needed
                    choice = f"localStorage.setItem('affectstream-theme', '{theme}')"
                    await page.evaluate(choice)
                await page.goto(set_up.page_url + path)
                await ready(page)
                wide = await page.evaluate("document.documentElement.scrollWidth")
                assert wide == width, (name, theme)
                assert await violations(page) == [], (name, theme)
    assert errors == []
