"""The live page: who comes first, when rows may move, and what a browser is told."""

import random
from collections.abc import Iterable, Sequence

import msgspec
import pytest

from inference.contract import format_time
from inference.labels import Role
from inference.score import WindowScore
from streams.serving.dashboard.live.order import DOUBT_NS, SETTLE_NS, Group, Order, need_of
from streams.serving.dashboard.live.raised import Alert, Mark
from streams.serving.dashboard.live.rows import Conversation, Standing
from streams.serving.dashboard.live.table import FRESH_NS, Changes, LiveTable, Watched
from tests.scores import SECOND_NS, START_NS, distressed

NOW_NS = START_NS + 600 * SECOND_NS
replace = msgspec.structs.replace


def call(
    name: str, *scores: WindowScore, started_ns: int = START_NS, role: Role = Role.CUSTOMER
) -> Conversation:
    standing = Standing(participant="p-1", role=role)
    for score in scores:
        standing = standing.advanced(replace(score, role=role))
    return Conversation(
        id=name,
        queue="billing",
        language="und",
        started_ns=started_ns,
        standings={"p-1": standing},
    )


def unsure(index: int, distress: float = 0.2) -> WindowScore:
    score = distressed(index, distress)
    return replace(score, decision=replace(score.decision, label=None, abstained=True))


def alert(conversation: str = "c-1", severity: str = "warning", **changes: object) -> Alert:
    found = Alert(
        id=f"{conversation}/{severity}",
        conversation=conversation,
        participant="p-1",
        rule="sustained-distress",
        severity=severity,
        state="firing",
        since=format_time(START_NS),
        fired=format_time(START_NS),
    )
    return replace(found, **changes)


def by_call(*alerts: Alert) -> dict[str, list[Alert]]:
    return {one.conversation: [one] for one in alerts}


def settled(calls: Iterable[Conversation], *alerts: Alert) -> tuple[str, ...]:
    return Order().settle(calls, by_call(*alerts), NOW_NS)


def doubtful(name: str) -> Conversation:
    return call(name, *(unsure(n) for n in range(DOUBT_NS // SECOND_NS)))


def test_alerts_come_first_then_distress_then_doubt_then_calm() -> None:
    calls = [
        call("calm", distressed(0, 0.1)),
        doubtful("doubt"),
        call("loud", distressed(0, 0.9)),
        call("louder", distressed(0, 0.97)),
        call("alert", distressed(0, 0.3)),
        call("worse", distressed(0, 0.2)),
    ]
    raised = alert("alert"), alert("worse", "critical")
    assert settled(calls, *raised) == ("worse", "alert", "louder", "loud", "doubt", "calm")


def test_who_rises_comes_before_who_stands_as_high() -> None:
    rising = [distressed(0, 0.3), distressed(125, 0.6)]
    calls = [call("stands", distressed(0, 0.6), started_ns=0), call("rises", *rising)]
    assert settled(calls) == ("rises", "stands")
    steep = call("steep", distressed(0, 0.05), distressed(125, 0.3))
    assert need_of(steep, (), Group.CALM, NOW_NS).group is Group.RAISED


@pytest.mark.parametrize(
    "changes",
    [
        {"acknowledged": Mark(by="kim")},
        {"snoozed": Mark(until=format_time(NOW_NS + SECOND_NS))},
        {"state": "resolved"},
    ],
)
def test_an_alert_that_somebody_took_on_or_that_ended_raises_no_more(
    changes: dict[str, object],
) -> None:
    quiet = call("c-1", distressed(0, 0.1))
    assert need_of(quiet, [alert()], Group.CALM, NOW_NS).group is Group.ALERT
    assert need_of(quiet, [alert(**changes)], Group.CALM, NOW_NS).group is Group.CALM


def test_a_snooze_ends() -> None:
    snoozed = alert(snoozed=Mark(until=format_time(NOW_NS - SECOND_NS)))
    assert snoozed.waits(NOW_NS)


def test_a_raised_call_stays_raised_until_it_is_clearly_calm() -> None:
    between = call("c-1", distressed(0, 0.46))
    assert need_of(between, (), Group.CALM, NOW_NS).group is Group.CALM
    assert need_of(between, (), Group.RAISED, NOW_NS).group is Group.RAISED


def test_an_agent_who_listens_is_no_doubt_and_one_sure_window_ends_it() -> None:
    both = doubtful("c-1")
    listener = replace_role(both, Role.AGENT)
    sure = {"p-1": both.standings["p-1"].advanced(distressed(99, 0.2))}
    joined = {**listener.standings, "p-2": Standing(participant="p-2", role=Role.CUSTOMER)}
    for standings in (sure, joined):
        found = Conversation(id="c-1", queue="q", language="en", started_ns=0, standings=standings)
        assert need_of(found, (), Group.CALM, NOW_NS).group is Group.CALM
    assert need_of(both, (), Group.CALM, NOW_NS).group is Group.DOUBT


def replace_role(found: Conversation, role: Role) -> Conversation:
    return call(found.id, *(unsure(n) for n in range(DOUBT_NS // SECOND_NS)), role=role)


def test_scores_that_waver_by_less_than_a_step_move_no_row() -> None:
    luck = random.Random(4)
    order, orders = Order(), set()
    for round_ in range(50):
        calls = [
            call(f"c-{n}", distressed(0, round(0.05 * n + luck.uniform(-0.02, 0.02), 4)))
            for n in range(2, 9)
        ]
        orders.add(order.settle(calls, {}, NOW_NS + round_ * SETTLE_NS))
    assert len(orders) == 1


def test_the_order_stays_for_some_seconds_but_takes_in_who_comes_and_goes() -> None:
    order = Order()
    a, b = call("a", distressed(0, 0.9)), call("b", distressed(0, 0.6))
    assert order.settle([a, b], {}, NOW_NS) == ("a", "b")
    calmer, new = call("a", distressed(1, 0.1)), call("new", distressed(0, 0.99))
    soon = NOW_NS + SETTLE_NS - 1
    assert order.settle([calmer, b, new], {}, soon) == ("a", "b", "new")
    assert order.settle([calmer, new], {}, soon) == ("a", "new")
    assert order.settle([calmer, b, new], {}, NOW_NS + SETTLE_NS) == ("new", "b", "a")


def watched(*calls: Conversation, alerts: Sequence[Alert] = ()) -> Watched:
    return Watched(
        calls=calls,
        recent=(),
        alerts=by_call(*alerts),
        loaded=True,
        trouble=None,
        away_ns=None,
    )


class Browser:
    """What the page does with what it gets."""

    def __init__(self) -> None:
        self.version = 0
        self.order: Sequence[str] = ()
        self.rows: dict[str, dict[str, object]] = {}
        self.got = 0

    def take(self, body: Changes) -> None:
        decoded = msgspec.json.decode(msgspec.json.encode(body))
        self.got = len(decoded["rows"])
        self.rows |= {row["key"]: row for row in decoded["rows"]}
        self.order = self.order if decoded["order"] is None else decoded["order"]
        self.rows = {key: self.rows[key] for key in self.order}
        self.version = decoded["version"]


def test_changes_taken_one_after_the_other_equal_everything_at_once() -> None:
    table, follower = LiveTable(begin=5), Browser()
    quiet = call("quiet", distressed(590, 0.1))
    steps = [
        watched(quiet, call("c-1", distressed(0, 0.2))),
        watched(quiet, call("c-1", distressed(1, 0.7))),
        watched(quiet, call("c-1", distressed(1, 0.7)), alerts=[alert()]),
        watched(call("c-2", distressed(0, 0.4)), quiet),
        watched(quiet),
    ]
    for number, state in enumerate(steps):
        now_ns = NOW_NS + number * FRESH_NS
        table.refresh(state, now_ns)
        follower.take(table.changes(state, follower.version))
        fresh = Browser()
        fresh.take(table.changes(state, 0))
        assert (follower.rows, follower.order) == (fresh.rows, fresh.order)
    assert list(follower.rows) == ["quiet"]


def test_a_call_that_says_nothing_new_is_not_sent_again() -> None:
    table, follower = LiveTable(begin=5), Browser()
    state = watched(call("c-1", distressed(0, 0.2), started_ns=0))
    ages = [START_NS + SECOND_NS, START_NS + SECOND_NS + FRESH_NS]
    for now_ns in ages:
        table.refresh(state, now_ns)
        follower.take(table.changes(state, follower.version))
    assert follower.got == 0


def test_a_page_that_outlived_a_restart_gets_everything() -> None:
    state = watched(call("c-1", distressed(0, 0.2)))
    old, new = LiveTable(begin=5), LiveTable(begin=1_000)
    follower = Browser()
    for table in (old, new, old):  # the second restart is under a clock that was set back
        table.refresh(state, NOW_NS)
        follower.take(table.changes(state, follower.version))
        assert follower.got == 1
        assert list(follower.order) == ["c-1"]


def test_a_row_says_its_alerts_and_whether_they_wait() -> None:
    table = LiveTable(begin=5)
    taken = alert(acknowledged=Mark(by="kim"), peak=0.91)
    state = watched(call("c-1", distressed(0, 0.2)), alerts=[taken])
    table.refresh(state, NOW_NS)
    follower = Browser()
    follower.take(table.changes(state, 0))
    assert follower.rows["c-1"]["alerts"] == [
        {
            "text": "sustained distress",
            "title": "warning alert, 0.91 when it fired, acknowledged by kim",
            "severity": "warning",
            "waits": False,
            "link": "/conversations/c-1?at=2025-11-24T16%3A00%3A00Z",
        }
    ]
