"""The trend of each participant in the list of conversations, on both databases."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.score import WindowScore
from inference.units import MINUTE_NS
from storage.conversations import TREND_NS, list_conversations
from storage.results import ResultStore
from tests.scores import START_NS, batch, distressed

BEGIN_NS: Final = START_NS // MINUTE_NS * MINUTE_NS


def minute(
    number: int, values: Sequence[float], participant: str = "p-1", conversation: str = "c-1"
) -> list[WindowScore]:
    """Windows at the beginning of the `number`-th minute."""
    return [
        distressed(
            index,
            value,
            participant=participant,
            conversation=conversation,
            start_ns=BEGIN_NS + number * MINUTE_NS,
        )
        for index, value in enumerate(values)
    ]


def nothing(score: WindowScore) -> WindowScore:
    return msgspec.structs.replace(score, emotions=None, distress=None, arousal=None, valence=None)


async def test_the_list_gives_the_last_minutes_of_each_participant(engine: AsyncEngine) -> None:
    late = TREND_NS // MINUTE_NS + 2
    silence = [nothing(score) for score in minute(late - 1, [0.0, 0.0])]
    mine = [
        *minute(0, [0.9]),
        *minute(3, [0.2, 0.4]),
        *silence,
        *minute(late, [0.7]),
    ]
    other = minute(1, [0.1, 0.2, 0.3], conversation="c-2")
    agent = minute(late, [0.05], participant="p-2")
    for scores in (mine, agent, other):
        await ResultStore(engine).commit([batch(scores, None)])
    calls = await list_conversations(engine, "acme", limit=10)
    found = {
        (call.conversation, one.participant): [
            ((point.minute_ns - BEGIN_NS) // MINUTE_NS, point.distress) for point in one.trend
        ]
        for call in calls
        for one in call.participants
    }
    assert found == {
        ("c-1", "p-1"): [(3, 0.3), (late - 1, None), (late, 0.7)],
        ("c-1", "p-2"): [(late, 0.05)],
        ("c-2", "p-1"): [(1, 0.2)],
    }
