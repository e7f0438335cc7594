"""What the page of one conversation decides by itself: what policy allows, and who withdrew."""

from msgspec.structs import replace

from inference.contract import format_time
from streams.serving.dashboard.client import PolicyFact, PolicyGround
from streams.serving.dashboard.conversation.page import together, withdrawals
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
