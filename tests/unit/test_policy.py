"""Profiles as tables, and gates that apply facts from the time at which they are true."""

from typing import Any

import pytest

from inference.labels import MODALITIES, Modality, Role
from storage.values import ConsentChange
from streams.policy import (
    PROFILES,
    Basis,
    ConversationGate,
    Facts,
    ProfileError,
    decide,
    load_profile,
    new_gate,
)
from streams.policy.decision import Permission, Profile, Refusal
from streams.records import ControlEvent, ControlKind

SPEECH, TEXT, FACE = Modality.SPEECH, Modality.TEXT, Modality.FACE
EVERYTHING = frozenset(MODALITIES)
NOTHING: frozenset[Modality] = frozenset()
WHO = {"tenant": "acme", "conversation": "c-1"}


@pytest.mark.parametrize(
    ("profile", "role", "allowed"),
    [
        ("eu", Role.CUSTOMER, EVERYTHING),
        ("eu", Role.AGENT, NOTHING),  # AI Act, Art. 5(1)(f)
        ("eu", Role.BOT, NOTHING),
        ("eu", Role.UNKNOWN, NOTHING),
        ("text-only", Role.CUSTOMER, frozenset({TEXT})),
        ("text-only", Role.AGENT, frozenset({TEXT})),
        ("text-only", Role.BOT, NOTHING),
        ("text-only", Role.UNKNOWN, NOTHING),
        ("research", Role.CUSTOMER, EVERYTHING),
        ("research", Role.AGENT, EVERYTHING),
        ("research", Role.UNKNOWN, EVERYTHING),
        ("research", Role.BOT, NOTHING),
    ],
)
def test_what_a_profile_permits_of_those_who_were_told(
    profile: str, role: Role, allowed: frozenset[Modality]
) -> None:
    facts = Facts(role, notice=True)
    decisions = {
        modality: decide(load_profile(profile), modality, facts) for modality in MODALITIES
    }
    assert {modality for modality, item in decisions.items() if item.allowed} == allowed
    assert all(item.reason for item in decisions.values())


@pytest.mark.parametrize(
    ("facts", "basis"),
    [
        (Facts(Role.CUSTOMER, notice=True), Basis.PERMISSION),
        (Facts(Role.CUSTOMER), Basis.NO_NOTICE),
        (Facts(Role.CUSTOMER, notice=True, consent=False), Basis.CONSENT),
        (Facts(Role.AGENT, notice=True), Basis.REFUSAL),
        (Facts(Role.UNKNOWN, notice=True), Basis.NO_PERMISSION),
    ],
)
def test_a_decision_says_in_one_word_what_it_rests_on(facts: Facts, basis: Basis) -> None:
    decision = decide(load_profile("eu"), SPEECH, facts)
    assert decision.basis is basis
    assert decision.allowed is (basis is Basis.PERMISSION)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    "facts", [{"notice": None}, {"notice": False}, {"notice": True, "consent": False}]
)
def test_nobody_is_analysed_untold_or_against_their_will(
    profile: str, modality: Modality, role: Role, facts: dict[str, bool | None]
) -> None:
    assert not decide(load_profile(profile), modality, Facts(role, **facts)).allowed


def test_a_refusal_quotes_the_rule_that_it_implements() -> None:
    facts = Facts(Role.AGENT, notice=True, consent=True)
    assert "Art. 5(1)(f)" in decide(load_profile("eu"), SPEECH, facts).reason
    assert "permits no text" in decide(load_profile("eu"), TEXT, facts).reason


@pytest.mark.parametrize("purpose", ["workplace", "recruitment", "education"])
@pytest.mark.parametrize(("profile", "rule"), [("eu", "Art. 5(1)(f)"), ("research", "Art. 2(6)")])
def test_staff_applicants_and_pupils_are_never_analysed(
    purpose: str, profile: str, rule: str
) -> None:
    for modality in MODALITIES:
        facts = Facts(Role.CUSTOMER, notice=True, consent=True, purpose=purpose)
        decision = decide(load_profile(profile), modality, facts)
        assert not decision.allowed
        assert rule in decision.reason


def test_a_permission_quotes_the_rule_that_it_implements() -> None:
    told = Facts(Role.CUSTOMER, notice=True)
    assert "Art. 50(3)" in decide(load_profile("eu"), FACE, told).reason
    assert "Art. 50(3)" in decide(load_profile("eu"), FACE, Facts(Role.CUSTOMER)).reason
    assert "Art. 3(39)" in decide(load_profile("text-only"), TEXT, told).reason
    assert "Art. 89(1)" in decide(load_profile("research"), SPEECH, told).reason


def test_a_profile_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ProfileError, match="eu, text-only, research"):
        load_profile("us")


def event(
    kind: ControlKind, at_ns: int, participant: str = "p-1", **attributes: str
) -> ControlEvent:
    return ControlEvent(
        **WHO,
        participant=participant,
        sequence=at_ns,
        kind=kind,
        at_ns=at_ns,
        attributes=attributes,
    )


def gate(*events: ControlEvent, profile: str = "eu") -> ConversationGate:
    opened = ConversationGate(load_profile(profile))
    for item in events:
        opened.apply(item)
    return opened


STARTED = event(ControlKind.STARTED, 0, "-", notice="yes")
JOINED = event(ControlKind.PARTICIPANT_JOINED, 10, role="customer")


def test_notice_of_the_conversation_holds_for_everybody_in_it() -> None:
    opened = gate(STARTED, JOINED, event(ControlKind.PARTICIPANT_JOINED, 10, "p-2", role="agent"))
    assert opened.permitted("p-1", SPEECH, 20)
    assert not opened.permitted("p-2", SPEECH, 20)
    assert not opened.permitted("somebody else", SPEECH, 20)


def test_withdrawn_consent_holds_from_its_own_time_on_and_may_be_given_again() -> None:
    events = [
        STARTED,
        JOINED,
        event(ControlKind.CONSENT_CHANGED, 50, consent="no"),
        event(ControlKind.CONSENT_CHANGED, 80, consent="yes"),
    ]
    for order in (events, events[::-1]):
        opened = gate(*order)
        allowed = [opened.permitted("p-1", SPEECH, at_ns) for at_ns in (20, 49, 50, 79, 80)]
        assert allowed == [True, True, False, False, True]


def test_everybody_may_withdraw_at_once() -> None:
    opened = gate(STARTED, JOINED, event(ControlKind.CONSENT_CHANGED, 50, "-", consent="no"))
    assert not opened.permitted("p-1", FACE, 50)


def test_somebody_heard_before_they_are_announced_is_who_they_turn_out_to_be() -> None:
    assert gate(STARTED, JOINED).permitted("p-1", SPEECH, 5)
    opened = gate(STARTED, event(ControlKind.PARTICIPANT_JOINED, 10, role="agent"))
    assert not opened.permitted("p-1", SPEECH, 5)


def test_without_any_fact_nobody_is_analysed() -> None:
    assert not any(gate().permitted("p-1", modality, 0) for modality in MODALITIES)


def test_every_decision_and_every_change_is_on_record_once() -> None:
    opened = gate(STARTED, JOINED, event(ControlKind.CONSENT_CHANGED, 50, consent="no"))
    verdicts = list(opened.decisions())
    speech = [(item.at_ns, item.decision.allowed) for item in verdicts if item.modality is SPEECH]
    assert speech == [(0, True), (50, False)]
    assert len(verdicts) == 2 * len(MODALITIES)


def test_the_purpose_of_a_conversation_is_everybody_s() -> None:
    hiring = event(ControlKind.STARTED, 0, "-", notice="yes", purpose="recruitment")
    assert not gate(hiring, JOINED).permitted("p-1", SPEECH, 20)


def test_started_may_itself_announce_somebody() -> None:
    alone = event(ControlKind.STARTED, 0, "p-1", notice="yes", role="customer")
    assert gate(alone).permitted("p-1", SPEECH, 0)


def test_consent_given_on_joining_undoes_no_withdrawal_before_it() -> None:
    opened = gate(
        STARTED,
        event(ControlKind.CONSENT_CHANGED, 5, consent="no"),
        event(ControlKind.PARTICIPANT_JOINED, 10, role="customer", consent="yes"),
    )
    allowed = [opened.permitted("p-1", SPEECH, at_ns) for at_ns in (4, 5, 9, 10)]
    assert allowed == [True, False, False, True]


def test_a_withdrawal_in_the_middle_is_seen_by_who_asks_about_the_whole() -> None:
    opened = gate(
        STARTED,
        JOINED,
        event(ControlKind.CONSENT_CHANGED, 50, consent="no"),
        event(ControlKind.CONSENT_CHANGED, 52, consent="yes"),
    )
    assert opened.permitted("p-1", SPEECH, 40)
    assert opened.permitted("p-1", SPEECH, 59)
    assert not opened.permitted_throughout("p-1", SPEECH, 40, 60)
    assert opened.permitted_throughout("p-1", SPEECH, 40, 50)
    assert opened.permitted_throughout("p-1", SPEECH, 52, 60)
    assert not opened.permitted_throughout("p-1", SPEECH, 51, 52)
    assert opened.forbidden_within("p-1", SPEECH, 40, 50) is None
    refused = opened.forbidden_within("p-1", SPEECH, 40, 60)
    assert refused is not None
    assert refused.basis is Basis.CONSENT


@pytest.mark.parametrize(
    ("said", "since"),
    [
        ([], None),
        ([(50, "no")], 50),
        ([(50, "no"), (60, "no")], 50),
        ([(50, "no"), (60, "yes")], None),
        ([(50, "no"), (60, "yes"), (70, "no")], 70),
    ],
)
def test_a_withdrawal_holds_from_the_first_no_that_no_yes_follows(
    said: list[tuple[int, str]], since: int | None
) -> None:
    changes = [event(ControlKind.CONSENT_CHANGED, at_ns, consent=text) for at_ns, text in said]
    for order in (changes, changes[::-1]):
        opened = gate(STARTED, JOINED, *order)
        assert opened.withdrawn_at("p-1") == since
        assert opened.withdrawn_at("p-2") is None


def test_every_conversation_has_a_gate_of_its_own() -> None:
    make = new_gate("eu")
    first, second = make("acme"), make("acme")
    first.apply(STARTED)
    first.apply(JOINED)
    assert first.permitted("p-1", SPEECH, 20)
    assert not second.permitted("p-1", SPEECH, 20)


def test_a_tenant_may_be_under_another_profile() -> None:
    make = new_gate("eu", {"globex": "text-only"})
    for tenant, allowed in (("acme", True), ("globex", False)):
        opened = make(tenant)
        opened.apply(STARTED)
        opened.apply(JOINED)
        assert opened.permitted("p-1", SPEECH, 20) is allowed
        assert opened.permitted("p-1", TEXT, 20)
    with pytest.raises(ProfileError, match="eu, text-only, research"):
        new_gate("eu", {"globex": "us"})


def test_clauses_may_name_regions() -> None:
    everybody: dict[str, tuple[Any, ...]] = {"roles": (Role.CUSTOMER,), "modalities": (SPEECH,)}
    profile = Profile(
        about="here and there",
        permissions=(Permission(**everybody, because="may", regions=("eu", "uk")),),
        refusals=(Refusal(**everybody, because="must not", regions=("uk",)),),
    )
    for region, allowed in (("eu", True), ("uk", False), ("us", False), ("unknown", False)):
        facts = Facts(Role.CUSTOMER, notice=True, region=region)
        assert decide(profile, SPEECH, facts).allowed is allowed
    opened = ConversationGate(profile)
    opened.apply(event(ControlKind.STARTED, 0, "-", notice="yes", region="eu"))
    opened.apply(JOINED)
    assert opened.permitted("p-1", SPEECH, 20)


def test_the_record_names_the_profile_and_the_facts() -> None:
    opened = new_gate("eu")("acme")
    opened.apply(event(ControlKind.STARTED, 0, "-", notice="yes", region="de", purpose="service"))
    opened.apply(JOINED)
    opened.apply(event(ControlKind.CONSENT_CHANGED, 50, consent="no"))
    rulings = [one for one in opened.rulings((), 0) if one.modality is SPEECH]
    assert [(one.at_ns, one.allowed, one.profile) for one in rulings] == [
        (0, True, "eu"),
        (50, False, "eu"),
    ]
    assert rulings[1].facts == {
        "role": "customer",
        "region": "de",
        "purpose": "service",
        "notice": "yes",
        "consent": "no",
    }


def test_somebody_of_whom_no_event_speaks_is_decided_on_too() -> None:
    (first, *_) = gate(STARTED).rulings(["p-9"], 7)
    assert (first.participant, first.at_ns, first.allowed) == ("p-9", 0, False)
    (first, *_) = gate().rulings(["p-9"], 7)
    assert (first.at_ns, first.facts["role"]) == (7, "unknown")


def test_what_was_said_is_listed_by_time_and_the_later_word_holds() -> None:
    opened = gate(
        STARTED,
        event(ControlKind.PARTICIPANT_JOINED, 10, role="customer", consent="yes"),
        event(ControlKind.CONSENT_CHANGED, 50, consent="no"),
        event(ControlKind.CONSENT_CHANGED, 60, consent="perhaps"),
        event(ControlKind.CONSENT_CHANGED, 50, notice="no").evolve(sequence=51),
    )
    assert opened.consents() == (
        ConsentChange(participant="-", at_ns=0, notice="yes"),
        ConsentChange(participant="p-1", at_ns=10, consent="yes"),
        ConsentChange(participant="p-1", at_ns=50, consent="no", notice="no"),
    )


def test_the_record_holds_nothing_that_a_database_refuses() -> None:
    odd = event(ControlKind.STARTED, 0, "-", notice="yes", region="d\0e", purpose="\0")
    facts = gate(odd, JOINED).rulings((), 0)[0].facts
    assert (facts["region"], facts["purpose"]) == ("d\ufffde", "\ufffd")
