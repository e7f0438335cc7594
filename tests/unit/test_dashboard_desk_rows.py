"""What the pages beside Live and Conversation say and in which order, page by page."""

from datetime import UTC
from typing import Any

import msgspec
import pytest

from inference.contract import format_time
from streams.serving.dashboard.alerts.rows import (
    Filter,
    alert_row,
    choices,
    metric_value,
    moment_link,
    queue,
)
from streams.serving.dashboard.live.raised import Alert, Mark
from streams.serving.dashboard.live.rows import Conversation
from streams.serving.dashboard.privacy.client import Erasure, Facts, PolicyDecision
from streams.serving.dashboard.privacy.rows import facts_said, may_erase, receipt
from streams.serving.dashboard.rules.client import Backtest, Rule, Threshold
from streams.serving.dashboard.rules.rows import (
    NEW,
    field_of,
    rule_state,
    threshold_chart,
    to_fields,
    to_spec,
    told,
)
from streams.serving.dashboard.shell import desk_words, words
from streams.serving.dashboard.system.client import DelayNow, Queue, Stale, System
from streams.serving.dashboard.system.rows import queue_said, shares, tiles
from streams.serving.dashboard.trends.client import Change, Mean, Side, Trend
from streams.serving.dashboard.trends.rows import (
    belongs,
    calls_link,
    changed,
    course_svg,
    courses,
)
from tests.fake_api import SPEC, some_backtest, some_system
from tests.scores import SECOND_NS, START_NS

replace = msgspec.structs.replace


def at(second: int) -> str:
    return format_time(START_NS + second * SECOND_NS)


def alert(name: str = "a-1", **changes: Any) -> Alert:
    known: dict[str, Any] = {
        "id": name,
        "conversation": "c 1",
        "participant": "p-1",
        "role": "customer",
        "queue": "billing",
        "rule": "sustained-distress",
        "severity": "warning",
        "metric": "smoothed",
        "state": "firing",
        "since": at(0),
        "fired": at(10),
        "peak": 0.83,
    }
    return Alert(**(known | changes))


NOW_NS = START_NS + 100 * SECOND_NS


def test_open_alerts_come_first_then_severity_then_the_newest() -> None:
    alerts = [
        alert("over", state="resolved", resolved=at(20), severity="critical"),
        alert("info", severity="info"),
        alert("old", severity="critical"),
        alert("new", severity="critical", fired=at(50)),
        alert("snoozed", severity="critical", snoozed=Mark(by="ada", until=at(101))),
        alert("woken", severity="warning", snoozed=Mark(by="ada", until=at(100))),
    ]
    found = [one.id for one in queue(alerts, Filter(), NOW_NS)]
    assert found == ["new", "old", "woken", "info", "snoozed", "over"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), ["a", "b"]),
        (Filter(severity="info"), ["b"]),
        (Filter(queue="billing"), ["a"]),
        (Filter(rule="sharp-rise"), ["b"]),
        (Filter(queue="billing", rule="sharp-rise"), []),
    ],
)
def test_a_filter_asks_for_what_it_names(wanted: Filter, found: list[str]) -> None:
    alerts = [alert("a"), alert("b", severity="info", queue="sales", rule="sharp-rise")]
    assert [one.id for one in queue(alerts, wanted, NOW_NS)] == found
    assert choices(alerts) == (["billing", "sales"], ["sharp-rise", "sustained-distress"])


def test_an_alert_says_what_where_since_when_and_how_much() -> None:
    row = alert_row(alert(), {"sustained-distress": "Sounds distressed"}, NOW_NS, UTC)
    assert (row.title, row.who, row.where) == (
        "Sounds distressed",
        "customer p-1",
        "billing · sustained distress",
    )
    assert row.when.endswith("for 1 min")
    assert row.peak == f"smoothed distress, {words.percent(0.83)} when it fired"
    assert row.link == moment_link("c 1", at(0)) == f"/conversations/c%201?at={at(0)}"
    assert (row.is_open, row.is_acknowledged, row.marks) == (True, False, ())
    assert alert_row(alert(), {}, NOW_NS, UTC).title == "Sustained distress"


def test_an_alert_says_what_led_to_it_and_who_told_that() -> None:
    told_ = alert(narrative="The customer would be called angry.", narrator="small-1+ab12")
    row = alert_row(told_, {}, NOW_NS, UTC)
    assert row.story == "The customer would be called angry."
    assert row.told_by.startswith("Told by small-1+ab12 from the evidence below")
    assert "listeners would describe" in row.told_by
    assert (
        alert_row(alert(), {}, NOW_NS, UTC).story,
        alert_row(alert(), {}, NOW_NS, UTC).told_by,
    ) == (
        "",
        "",
    )


def test_an_alert_says_who_did_what_and_when() -> None:
    done = alert(
        acknowledged=Mark(by="alice", at=at(30), note="calling back"),
        snoozed=Mark(by="ada", at=at(31), until=at(4_000)),
        verdict=Mark(by="bob", at=at(32), value="wrong", note="laughter"),
    )
    row = alert_row(done, {}, NOW_NS, UTC)
    first, second, third = row.marks
    assert first.startswith("acknowledged by alice at ")
    assert first.endswith(": calling back")
    assert second.startswith("snoozed by ada until ")
    assert third.startswith("judged wrong by bob")
    assert (row.is_snoozed, row.verdict, row.state) == (True, "wrong", "firing, snoozed")
    later = alert_row(done, {}, START_NS + 5_000 * SECOND_NS, UTC)
    assert not later.is_snoozed


@pytest.mark.parametrize("reason", list(desk_words.ENDED_BECAUSE))
def test_an_alert_that_is_over_says_why(reason: str) -> None:
    row = alert_row(alert(state="resolved", resolved=at(70), reason=reason), {}, NOW_NS, UTC)
    assert row.state == f"over: {desk_words.ENDED_BECAUSE[reason]}"
    assert row.when.endswith("1 min")
    assert not row.is_open


def test_values_with_a_scale_of_their_own_are_no_percent() -> None:
    assert metric_value("change", 2.44) == "2.44"
    assert metric_value("smoothed", 0.61) == words.percent(0.61)


def test_the_editor_gives_back_the_rule_it_was_given() -> None:
    for spec in (NEW, SPEC, SPEC | {"direction": "below", "after": {"metric": "distress"}}):
        assert to_spec(to_fields(spec), spec) == (spec, {})


def test_the_editor_says_what_is_no_number() -> None:
    fields = to_fields(SPEC) | {
        "enter": "much",
        "for_s": "12,5",
        "cooldown_s": "",
        "queues": "a, b",
    }
    spec, wrong = to_spec(fields, SPEC)
    assert wrong == {"enter": "a number is needed"}
    assert spec["for_s"] == 12.5
    assert "cooldown_s" not in spec
    assert spec["match"] == {"roles": ["customer"], "queues": ["a", "b"], "languages": []}


@pytest.mark.parametrize(
    ("name", "field"),
    [("enter", "enter"), ("body.enter", "enter"), ("rule.match.roles.0", "roles"), ("x", "")],
)
def test_what_the_api_says_of_a_field_stands_beside_it(name: str, field: str) -> None:
    assert field_of(name) == field


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule(name="a", version=0, shipped=True, spec=SPEC), "shipped"),
        (Rule(name="a", version=3, spec=SPEC), "own version 3"),
        (Rule(name="a", version=4), "off"),
    ],
)
def test_a_rule_says_whose_version_is_in_force(rule: Rule, said: str) -> None:
    assert rule_state(rule) == said


def test_a_backtest_is_told_in_words() -> None:
    found = msgspec.convert(some_backtest(), Backtest)
    facts = dict(told(found))
    assert facts["alerts"] == "5, 1.47 an hour"
    assert facts["reviewed"] == f"3 right, 1 wrong, 0 unclear, {words.percent(0.75)} right"
    assert "0.70" in facts["suggested"]
    bare = Backtest(conversations=1, hours=0.0, alerts=0)
    assert set(dict(told(bare))) == {"over", "alerts", "flaps", "reviewed"}
    assert "nobody" in dict(told(bare))["reviewed"]


def test_the_plot_marks_the_rules_own_threshold() -> None:
    points = [Threshold(enter=0.5, alerts_per_hour=3.1, flaps=1)]
    alerts, flaps = threshold_chart(points, 0.6)["series"]
    assert alerts["data"] == [[0.5, 3.1]]
    assert flaps["data"] == [[0.5, 1]]
    assert alerts["markLine"]["data"] == [{"xAxis": 0.6}]
    assert "markLine" not in threshold_chart(points, None)["series"][0]


def change(key: str, middle: float, low: float, high: float, *, news: bool) -> Change:
    return Change(
        key=key, now=Side(0.3, 9), before=Side(0.2, 8), difference=middle, low=low, high=high,
        news=news,
    )  # fmt: skip


def test_noise_is_no_news_and_says_so() -> None:
    rows = changed(
        [
            change("noise", 0.01, -0.02, 0.04, news=False),
            change("worse", 0.08, 0.03, 0.13, news=True),
            Change(key="small", withheld=True),
            change("better", -0.09, -0.12, -0.06, news=True),
        ],
        floor=5,
    )
    assert [row.key for row in rows] == ["better", "worse", "noise", "small"]
    better, worse, noise, small = rows
    assert (better.said, worse.said) == ("down 9.0 points", "up 8.0 points")
    assert (noise.said, noise.is_news) == (desk_words.NO_NEWS, False)
    assert small.said == desk_words.WITHHELD.format(floor=5)
    assert (small.interval, small.now) == ("", words.NONE)


def test_an_interval_that_holds_zero_is_no_news_whatever_else_is_said() -> None:
    (row,) = changed([change("x", 0.05, -0.01, 0.11, news=True)], floor=5)
    assert row.said == desk_words.NO_NEWS


def test_whiskers_keep_inside_the_plot_and_zero_stays_in_its_middle() -> None:
    rows = changed(
        [change("a", 0.08, 0.03, 0.13, news=True), change("b", -0.2, -0.5, 0.1, news=False)], 5
    )
    for row in rows:
        assert 0 <= row.left <= row.dot <= row.left + row.width <= 100
    (still,) = changed([change("c", 0.0, 0.0, 0.0, news=False)], 5)
    assert still.dot == 50


def trend(key: str, day: int, mean: float | None, scored: int = 10) -> Trend:
    return Trend(
        key=key,
        start=at(day * 86_400),
        end=at((day + 1) * 86_400),
        conversations=None if mean is None else 7,
        scored=None if mean is None else scored,
        distress=None if mean is None else Mean(mean, mean - 0.05, mean + 0.05),
        withheld=mean is None,
    )


def test_groups_stand_by_their_mean_and_withheld_ones_say_why() -> None:
    items = [
        trend("vip", 0, None),
        trend("sales", 0, 0.1),
        trend("billing", 0, 0.3, scored=30),
        trend("billing", 1, 0.7, scored=10),
        trend("billing", 2, None),
    ]
    end_ns = START_NS + 3 * 86_400 * SECOND_NS
    billing, sales, vip = courses(items, "queue", START_NS, end_ns, 5)
    assert (billing.key, sales.key, vip.key) == ("billing", "sales", "vip")
    assert billing.mean == words.percent(0.4)
    assert billing.said.endswith("1 stretch withheld")
    assert vip.withheld == desk_words.WITHHELD.format(floor=5)
    assert vip.mean == vip.conversations == words.NONE


def test_a_course_breaks_where_figures_are_withheld() -> None:
    end_ns = START_NS + 4 * 86_400 * SECOND_NS
    items = [trend("a", 0, 0.2), trend("a", 1, None), trend("a", 2, 0.3), trend("a", 3, 0.3)]
    svg = course_svg(items, START_NS, end_ns, 0.5)
    assert svg.count("<polyline") == 2
    assert svg.count('class="held"') == 1
    assert svg.count('class="dots"') == 3


def test_a_group_leads_to_its_conversations() -> None:
    end_ns = START_NS + SECOND_NS
    link = calls_link("queue", "a&b", START_NS, end_ns)
    assert "key=a%26b" in link
    call = Conversation(id="c", queue="q", language="de", started_ns=0, standings={})
    assert belongs(call, "queue", "q")
    assert belongs(call, "language", "de")
    assert not belongs(call, "role", "customer")
    assert not belongs(call, "agent", "p-2")


def test_nothing_is_erased_before_it_is_typed_out() -> None:
    assert may_erase("", "erase") == "say what to erase"
    assert may_erase("c-1", "yes") == "type: erase c-1"
    assert may_erase("c-1", "erase c-2") == "type: erase c-1"
    assert may_erase(" c-1 ", " Erase c-1 ") == ""


def test_a_receipt_names_what_was_deleted() -> None:
    one = Erasure(
        id="e", kind="subject", at=at(0), by="ada", conversations=2,
        rows={"window_scores": 120, "feed": 0}, keys=1,
    )  # fmt: skip
    assert receipt(one) == "2 conversations, 120 window scores, 1 key of the cache"


def test_a_decision_says_what_it_was_made_from() -> None:
    one = PolicyDecision(
        conversation="c", participant="p", modality="speech", at=at(0), allowed=False,
        reason="no notice", facts=Facts(role="customer", region="DE", notice=False),
    )  # fmt: skip
    assert facts_said(one) == "role customer, region DE, notice no"


def test_what_needs_a_look_says_so_in_words_too() -> None:
    now = msgspec.convert(some_system(), System)
    bad = {tile.name: tile.note for tile in tiles(now) if tile.is_bad}
    assert set(bad) == {"Delay of scores", "Stale calls", "Left out under load", "Undeliverable"}
    assert bad["Delay of scores"].endswith("too long")
    fine = System(now=at(0), delay_s=DelayNow(1.0, 2.0), outbox={"kafka": Queue()})
    assert not any(tile.is_bad for tile in tiles(fine))
    assert [one.name for one in shares(now)] == ["voice", "words", "face"]
    assert any(tile.is_bad for tile in tiles(replace(fine, stale=(Stale("c", "p"),))))


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (Queue(), "up to date"),
        (Queue(waiting=2, oldest_s=3.0), "waits"),
        (Queue(waiting=2, oldest_s=90.0), "late"),
        (Queue(waiting=2, oldest_s=90.0, dead=1), "given up on some"),
    ],
)
def test_a_target_says_how_its_messages_stand(one: Queue, said: str) -> None:
    assert queue_said(one) == said
