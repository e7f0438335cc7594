"""What the page of one conversation decides: what policy allows, who withdrew, what it explains."""

import asyncio
from datetime import UTC
from unittest.mock import create_autospec

import pytest
from msgspec.structs import replace

from inference.contract import format_time
from inference.score import WindowScore
from streams.serving.dashboard.client import ApiClient, PolicyFact, PolicyGround
from streams.serving.dashboard.conversation.page import ParticipantCard, together, withdrawals
from tests.browser.story import spoken
from tests.drawn import blank_page, labels
from tests.scores import SECOND_NS, START_NS


def fact(second: int, *, allowed: bool, consent: str | None, who: str = "p-1") -> PolicyFact:
    return PolicyFact(
        participant=who,
        modality="speech",
        at=format_time(START_NS + second * SECOND_NS),
        allowed=allowed,
        reason="a rule",
        facts=PolicyGround(consent),
    )


def test_consent_is_withdrawn_from_the_first_refusal_that_rests_on_it() -> None:
    found = [
        fact(9, allowed=False, consent="no"),
        fact(5, allowed=False, consent="no"),
        fact(0, allowed=True, consent=None),
        fact(0, allowed=False, consent=None, who="p-2"),
    ]
    assert withdrawals(found) == {"p-1": START_NS + 5 * SECOND_NS}


def test_consent_that_is_given_again_is_withdrawn_no_more() -> None:
    found = [fact(5, allowed=False, consent="no"), fact(9, allowed=True, consent="yes")]
    assert withdrawals(found) == {}


def test_decisions_that_differ_in_the_modality_only_are_one() -> None:
    one = fact(0, allowed=True, consent=None)
    found = [one, fact(0, allowed=False, consent=None, who="p-2"), replace(one, modality="face")]
    assert [(each.participant, said) for each, said in together(found)] == [
        ("p-1", "voice, face"),
        ("p-2", "voice"),
    ]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("last", [1, None], ids=["another", "newest"])
async def test_the_last_choice_is_explained_whichever_answer_comes_last(
    monkeypatch: pytest.MonkeyPatch, order: tuple[int, ...], last: int | None
) -> None:
    """Somebody picks a second, and another one (or the newest) before the first is read."""
    scores = [spoken("c-1", "p-1", START_NS + n * SECOND_NS, 0.9) for n in range(2)]
    answers = {one.end_ns: asyncio.Future[WindowScore]() for one in scores}

    async def answer(_conversation: str, _participant: str, end_ns: int) -> WindowScore:
        return await answers[end_ns]

    client = create_autospec(ApiClient, instance=True)
    client.score_at.side_effect = answer
    with blank_page(monkeypatch) as drawn:
        card = ParticipantCard(client, "c-1", "p-1", UTC)
        choices = []
        for at_ns in (scores[0].end_ns, None if last is None else scores[last].end_ns):
            choices.append(asyncio.create_task(card.choose(at_ns)))
            await asyncio.sleep(0)
        for number in order:
            answers[scores[number].end_ns].set_result(scores[number])
            await asyncio.sleep(0)
        await asyncio.gather(*choices)
        explained = [text for text in labels(drawn) if text.startswith("Score of")]
    assert explained == ([] if last is None else ["Score of 16:00:01 to 16:00:04"])
