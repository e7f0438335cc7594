"""What texts of calls and shifts are made from, read from either database."""

from dataclasses import replace

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Emotion, Role
from inference.narrator.template import TemplateNarrator
from storage.alert_counts import AlertCount, count_alerts
from storage.alerts import AlertFilter, list_alerts
from storage.outline import read_moments, read_outline
from storage.results import ResultStore
from storage.values import ConversationKey, Utterance
from streams.telling import Teller
from tests.alert_batches import judged, rises_and_falls
from tests.scores import SECOND_NS, START_NS, distressed

KEY = ConversationKey("acme", "c-1")


def said(end_s: int) -> Utterance:
    return Utterance(
        participant="p-1", segment=f"s-{end_s}", start_ns=START_NS,
        end_ns=START_NS + end_s * SECOND_NS, text=f"at {end_s}", language="en",
    )  # fmt: skip


async def test_an_outline_is_of_the_live_run_of_one_tenant(engine: AsyncEngine) -> None:
    agent = msgspec.structs.replace(distressed(0, participant="a-1"), role=Role.AGENT)
    other = [msgspec.structs.replace(one, tenant="zebra") for one in rises_and_falls()]
    batches = [
        judged(rises_and_falls()),
        judged([agent]),
        judged(rises_and_falls(run="again", participant="p-9")),
        judged(other),
    ]
    assert not (await ResultStore(engine).commit(batches)).failed
    found = await read_outline(engine, KEY)
    assert found is not None
    assert found.started_ns == START_NS
    assert {name: len(points) for name, points in found.participants.items()} == {
        "p-1": 10, "a-1": 1,
    }  # fmt: skip
    third = found.participants["p-1"][2]
    assert (third.role, third.start_ns, third.end_ns) == (
        Role.CUSTOMER, START_NS + 2 * SECOND_NS, START_NS + 5 * SECOND_NS,
    )  # fmt: skip
    assert (third.distress, third.label) == (0.9, Emotion.ANGER)
    one = await read_outline(engine, KEY, participant="a-1")
    assert one is not None
    assert set(one.participants) == {"a-1"}
    assert await read_outline(engine, ConversationKey("acme", "c-2")) is None


async def test_moments_are_whole_and_words_those_of_a_stretch(engine: AsyncEngine) -> None:
    scores = rises_and_falls()
    stored = replace(judged(scores), words=(said(3), said(5), said(9)))
    assert not (await ResultStore(engine).commit([stored])).failed
    starts = [scores[n].start_ns for n in (1, 6)]
    windows, words = await read_moments(
        engine,
        KEY,
        "p-1",
        [*starts, 1],
        words_from_ns=START_NS + 3 * SECOND_NS,
        words_to_ns=START_NS + 9 * SECOND_NS,
    )
    assert windows == [scores[1], scores[6]]
    assert [word.text for word in words] == ["at 5", "at 9"]


async def test_alerts_are_counted_where_they_fired_and_keep_their_text(
    engine: AsyncEngine,
) -> None:
    teller = Teller(TemplateNarrator(), TemplateNarrator())
    batches = [
        judged(rises_and_falls("c-1"), teller=teller),
        judged(rises_and_falls("c-2"), queue="sales"),
        judged(rises_and_falls("c-3"), queue="sales"),
        judged(rises_and_falls("c-4", run="again")),
    ]
    assert not (await ResultStore(engine).commit(batches)).failed
    fired_ns = START_NS + 7 * SECOND_NS

    async def counted(tenant: str, from_ns: int, to_ns: int) -> list[AlertCount]:
        return await count_alerts(engine, tenant, from_ns=from_ns, to_ns=to_ns)

    assert await counted("acme", fired_ns, fired_ns + 1) == [
        AlertCount(queue="billing", rule="loud", severity="warning", alerts=1),
        AlertCount(queue="sales", rule="loud", severity="warning", alerts=2),
    ]
    assert await counted("acme", 0, fired_ns) == await counted("zebra", 0, fired_ns + 1) == []
    texts = {
        alert.conversation: (alert.narrative is not None, alert.narrator)
        for _, alert in await list_alerts(engine, "acme", AlertFilter(), limit=9)
    }
    assert texts == {"c-1": (True, "template-1"), "c-2": (False, None), "c-3": (False, None)}
