"""Which version of a rule a window is judged by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streams.alerts.book import RuleBook
from streams.alerts.rule import RuleSpec, shipped_rules

SHIPPED = {"calm": RuleSpec(metric="distress", enter=0.5, exit=0.4)}
BODY = {"metric": "anger", "enter": 0.6, "exit": 0.5}


@dataclass(frozen=True)
class Row:
    tenant: str
    name: str
    version: int
    valid_from_ns: int
    body: Mapping[str, Any] | None


def held(book: RuleBook, tenant: str, start_ns: int) -> list[tuple[str, int]]:
    return [(one.name, one.version) for one in book.in_force(tenant, start_ns)]


def test_a_version_holds_for_windows_that_start_from_then_on() -> None:
    book = RuleBook.of(
        [
            Row("acme", "calm", 2, 200, None),
            Row("acme", "calm", 1, 100, BODY),
            Row("acme", "calm", 3, 300, BODY),
            Row("acme", "another", 1, 150, BODY),
        ],
        SHIPPED,
    )
    assert held(book, "acme", 0) == [("calm", 0)]
    assert held(book, "acme", 99) == [("calm", 0)]
    assert held(book, "acme", 100) == [("calm", 1)]
    assert held(book, "acme", 150) == [("another", 1), ("calm", 1)]
    assert held(book, "acme", 200) == [("another", 1)]
    assert held(book, "acme", 2**62) == [("another", 1), ("calm", 3)]
    assert held(book, "umbrella", 150) == [("calm", 0)]
    assert book.in_force("acme", -1) == ()


def test_the_higher_of_two_versions_valid_from_one_moment_holds() -> None:
    rows = [Row("acme", "calm", version, 100, BODY) for version in (2, 3, 1)]
    assert held(RuleBook.of(rows, SHIPPED), "acme", 100) == [("calm", 3)]


def test_a_version_that_does_not_read_switches_its_rule_off_and_is_named() -> None:
    book = RuleBook.of([Row("acme", "calm", 1, 100, {"metric": "mood"})], SHIPPED)
    assert held(book, "acme", 100) == []
    assert held(book, "umbrella", 100) == [("calm", 0)]
    [error] = book.unreadable
    assert "rule calm of tenant acme, version 1" in str(error)


def test_without_rows_everybody_has_the_shipped_rules() -> None:
    assert held(RuleBook.of(), "acme", 0) == [(name, 0) for name in sorted(shipped_rules())]
    assert held(RuleBook.only("one", SHIPPED["calm"]), "acme", 0) == [("one", 0)]
