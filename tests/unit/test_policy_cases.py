"""Cases of each profile as a table: who, what, where, and the rule that decides it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from inference.labels import Modality, Role
from streams.policy import PROFILES, Facts, decide, load_profile

CASES = Path(__file__).parents[1] / "data" / "policy_cases.toml"
TABLE: list[dict[str, Any]] = tomllib.loads(CASES.read_text())["cases"]
_SAID = {"yes": True, "no": False, "unknown": None}


def facts_of(case: dict[str, Any]) -> Facts:
    return Facts(
        role=Role(case["role"]),
        notice=_SAID[case.get("notice", "yes")],
        consent=_SAID[case.get("consent", "unknown")],
        purpose=case.get("purpose", "service"),
        region=case.get("region", "unknown"),
    )


@pytest.mark.parametrize("case", TABLE, ids=[case["says"] for case in TABLE])
def test_a_profile_decides_as_the_rule_that_the_case_quotes(case: dict[str, Any]) -> None:
    for name in case["profiles"]:
        profile = load_profile(name)
        for modality in Modality:
            decision = decide(profile, modality, facts_of(case))
            assert decision.allowed is (modality in case["allowed"]), (name, modality)
            if modality in case.get("because_of", Modality):
                assert case["rule"] in decision.reason, (name, modality)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_clause_of_a_profile_is_quoted_by_a_case(profile: str) -> None:
    loaded = load_profile(profile)
    quoted = [case["rule"] for case in TABLE if profile in case["profiles"]]
    for clause in (*loaded.permissions, *loaded.refusals):
        assert any(rule in clause.because for rule in quoted), clause.because


def test_every_profile_has_a_case_of_what_it_allows_and_of_what_it_does_not() -> None:
    for name in PROFILES:
        cases = [case for case in TABLE if name in case["profiles"]]
        assert {bool(case["allowed"]) for case in cases} == {True, False}
