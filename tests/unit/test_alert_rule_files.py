"""Rules as data: what a file may say, and what an error names."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from inference.labels import Role
from streams.alerts.rule import (
    METRICS,
    After,
    Direction,
    Match,
    RuleError,
    RuleSpec,
    Severity,
    parse_rules,
    plain,
    read_rules,
    shipped_rules,
    spec_from_json,
    spec_of,
)
from streams.alerts.words import sentence

WHOLE = """
[[rules]]
name = "low-mood"
metric = "valence"
direction = "below"
enter = -0.5
exit = -0.25
for_s = 2.5
keep_firing_for_s = 4
cooldown_s = 0
min_speech = 0.2
severity = "info"
match = { roles = ["customer", "unknown"], queues = ["billing"], languages = ["en"] }
notify = ["webhook:crm", "alertmanager"]
summary = "Sounds low."
runbook = "https://example.org/low"
after = { metric = "distress", enter = 0.5, within_s = 30 }
"""
SHORT = '[[rules]]\nname = "a"\nmetric = "distress"\nenter = 0.6\nexit = 0.5\n'


def test_a_file_says_everything_about_its_rules() -> None:
    spec = parse_rules(WHOLE, "x.toml")["low-mood"]
    assert spec == RuleSpec(
        metric="valence",
        direction=Direction.BELOW,
        enter=-0.5,
        exit=-0.25,
        for_s=2.5,
        keep_firing_for_s=4,
        cooldown_s=0,
        min_speech=0.2,
        severity=Severity.INFO,
        match=Match(roles=(Role.CUSTOMER, Role.UNKNOWN), queues=("billing",), languages=("en",)),
        notify=("webhook:crm", "alertmanager"),
        summary="Sounds low.",
        runbook="https://example.org/low",
        after=After(metric="distress", enter=0.5, within_s=30),
    )
    assert (spec.for_ns, spec.keep_firing_for_ns, spec.cooldown_ns) == (
        2_500_000_000, 4_000_000_000, 0,
    )  # fmt: skip
    assert spec_of(plain(spec), "again") == spec
    assert list(parse_rules(SHORT + SHORT.replace('"a"', '"b"'), "x.toml")) == ["a", "b"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('metric = "distress"', 'metric = "mood"', "rule a: metric: there is no 'mood'; write one"),
        ('metric = "distress"\n', "", "rule a: metric: is missing"),
        ("enter = 0.6", "enter = 60", "rule a: enter: 60 is never reached; distress lies between"),
        ("enter = 0.6", "enter = nan", "rule a: enter: nan is never reached"),
        ("enter = 0.6", 'enter = "high"', "rule a: enter: Expected `float`, got `str`"),
        ("exit = 0.5", "exit = 0.7", "exit: 0.7 is above enter, 0.6: a course would end as it"),
        ("exit = 0.5", 'exit = 0.5\ndirection = "below"', "exit: 0.5 is below enter, 0.6"),
        ("exit = 0.5", "exit = 0.5\nfor = 3", "rule a: for: there is no such field"),
        ("exit = 0.5", "exit = 0.5\nfor_s = -3", "rule a: for_s: Expected `float` >= 0.0"),
        ("exit = 0.5", "exit = 0.5\ncooldown_s = 60000", "cooldown_s: Expected `float` <= 3600.0"),
        ("exit = 0.5", 'exit = 0.5\nseverity = "bad"', "write info, warning, critical"),
        ("exit = 0.5", 'exit = 0.5\nnotify = ["crm"]', "notify[0]: Expected"),
        ("exit = 0.5", 'exit = 0.5\nnotify = ["webhook:a", "webhook:a"]', "notify: names a target"),
        ("exit = 0.5", 'exit = 0.5\nmatch = { roles = ["boss"] }', "match.roles[0]: Invalid enum"),
        (
            "exit = 0.5",
            'exit = 0.5\nafter = { metric = "distress", enter = 2, within_s = 3 }',
            "rule a: after.enter: 2 is never reached",
        ),
        (
            'metric = "distress"\nenter = 0.6\nexit = 0.5',
            'metric = "silence"\nenter = 1\nexit = 1\nmin_speech = 0.1',
            "min_speech: silence has no speech in it",
        ),
        (
            'metric = "distress"\nenter = 0.6\nexit = 0.5',
            'metric = "silence"\nenter = 1\nexit = 0',
            "exit: silence is 0 or 1 and never under 0",
        ),
        ('name = "a"', 'name = "a b"', "x.toml: rule 1: name: 1 to 128 letters"),
        ('name = "a"\n', "", "x.toml: rule 1: name: 1 to 128 letters"),
        ("[[rules]]", "[[rule]]", "x.toml: rule: unknown; every rule stands under [[rules]]"),
        ("[[rules]]", "[[rules", "x.toml: is no TOML"),
        (SHORT, "", "x.toml: holds no rules"),
        (SHORT, "rules = [1]", "x.toml: rule 1: is no table"),
        (SHORT, SHORT + SHORT, "rule a: name: stands there twice"),
    ],
)
def test_an_error_names_file_rule_and_field_and_what_to_write(
    old: str, new: str, said: str
) -> None:
    assert old in SHORT
    with pytest.raises(RuleError) as caught:
        parse_rules(SHORT.replace(old, new), "x.toml")
    assert str(caught.value).startswith("x.toml: ")
    assert said in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"none\.toml: No such file"):
        read_rules(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(RuleError, match=r"latin\.toml: is no UTF-8"):
        read_rules(tmp_path / "latin.toml")


@pytest.mark.parametrize("data", [b"", b"[", b"\xff", b"[]", b'{"metric": "\\ud800"}', b"{}"])
def test_json_that_is_no_rule_is_an_error(data: bytes) -> None:
    with pytest.raises(RuleError, match="rule: "):
        spec_from_json(data, "rule")


def test_every_metric_can_be_watched_from_either_side() -> None:
    for metric, (low, high) in METRICS.items():
        assert RuleSpec(metric=metric, enter=high, exit=high).sign == 1
        assert RuleSpec(metric=metric, enter=low, exit=high, direction=Direction.BELOW).sign == -1


def test_only_what_decides_is_in_the_digest() -> None:
    spec = parse_rules(SHORT, "x.toml")["a"]
    told = replace(
        spec, severity=Severity.CRITICAL, notify=("alertmanager",), summary="x", runbook="y"
    )
    assert told.digest == spec.digest
    others = [
        replace(spec, enter=0.7), replace(spec, exit=0.4), replace(spec, for_s=3),
        replace(spec, keep_firing_for_s=3), replace(spec, cooldown_s=3),
        replace(spec, min_speech=0.1), replace(spec, match=Match(roles=(Role.BOT,))),
        replace(spec, metric="anger"),
        replace(spec, after=After(metric="anger", enter=0.1, within_s=1)),
    ]  # fmt: skip
    assert len({spec.digest, *(one.digest for one in others)}) == len(others) + 1


def test_a_rule_reads_as_a_sentence() -> None:
    assert sentence(parse_rules(WHOLE, "x.toml")["low-mood"]) == (
        "fires at valence ≤ -0.5 for 2.5 s, begun within 30 s of distress ≥ 0.5; "
        "resolves at > -0.25 for 4 s; counts windows with at least 20% speech; "
        "watches role customer or unknown and queue billing and language en"
    )
    assert sentence(RuleSpec(metric="silence", enter=1, exit=1, for_s=0, keep_firing_for_s=0)) == (
        "fires on silence; resolves on speech; then rests for 60 s; watches everybody"
    )
    assert all(sentence(spec) for spec in shipped_rules().values())


def test_the_page_tells_of_every_shipped_rule_what_it_does() -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    section = page.split("## Shipped rules")[1].split("\n## ")[0]
    table = section.split("\n\n")[2]
    assert table.splitlines()[2:] == [
        f"| `{name}` | {spec.severity} | {sentence(spec)} |"
        for name, spec in shipped_rules().items()
    ]


def test_the_rule_on_the_page_reads() -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    [rule] = parse_rules(page.split("```toml\n")[1].split("```")[0], "alerts.md").values()
    assert rule.notify == ("webhook:crm", "alertmanager")
