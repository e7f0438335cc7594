"""The rule editor's fields, and what a back-test says in words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from inference.labels import Emotion
from streams.serving.dashboard.rules.client import Backtest, Rule, Spec, Threshold
from streams.serving.dashboard.shell import desk_words, words

METRICS: Final = {
    **desk_words.METRIC,
    **{emotion.value: emotion.value for emotion in Emotion},
}
NUMBERS: Final = {
    "enter": ("Raised at", "over this value, 0 to 1 for shares"),
    "exit": ("Ends at", "back under this value"),
    "for_s": ("Stays for, s", "before the alert fires"),
    "keep_firing_for_s": ("Back for, s", "before it ends"),
    "cooldown_s": ("Pause after it, s", ""),
    "min_speech": ("Voice in a window", "least share, 0 to 1"),
}
LISTS: Final = {"roles": "Roles", "queues": "Queues", "languages": "Languages"}
NEW: Final[Spec] = {
    "metric": "smoothed",
    "enter": 0.6,
    "exit": 0.45,
    "for_s": 10,
    "keep_firing_for_s": 10,
    "cooldown_s": 60,
    "min_speech": 0.2,
    "severity": "warning",
    "match": {"roles": ["customer"], "queues": [], "languages": []},
    "notify": [],
    "summary": "",
}


def rule_state(rule: Rule) -> str:
    """Whose version is in force."""
    if rule.spec is None:
        return "off"
    if rule.shipped or rule.version == 0:
        return "shipped"
    return f"own version {rule.version}"


def in_short(spec: Mapping[str, Any]) -> str:
    """What a rule waits for, in a line."""
    metric = METRICS.get(str(spec.get("metric")), str(spec.get("metric")))
    lasting = f"for {number(spec.get('for_s', 0))} s"
    if spec.get("metric") == "silence":
        return f"{metric} {lasting}"
    way = "under" if spec.get("direction") == "below" else "over"
    return f"{metric} {way} {number(spec.get('enter'))} {lasting}"


def number(value: Any) -> str:
    """A number as people write it: `10`, not `10.0`; nothing where there is none."""
    return f"{value:g}" if isinstance(value, int | float) else ""


def to_fields(spec: Spec) -> dict[str, str]:
    """What stands in the editor's fields."""
    match = spec.get("match") or {}
    return {
        "metric": str(spec.get("metric", "smoothed")),
        "direction": str(spec.get("direction") or "above"),
        "severity": str(spec.get("severity", "warning")),
        "summary": str(spec.get("summary") or ""),
        "notify": ", ".join(spec.get("notify") or ()),
        **{name: number(spec.get(name)) for name in NUMBERS},
        **{name: ", ".join(match.get(name) or ()) for name in LISTS},
    }


def to_spec(fields: Mapping[str, str], before: Spec) -> tuple[Spec, dict[str, str]]:
    """The rule that the fields say, and what is wrong with them by field.

    What the editor does not know of `before` stays: `after`, `runbook`.
    """
    spec: Spec = {**before}
    wrong: dict[str, str] = {}
    for name in NUMBERS:
        text = fields[name].strip().replace(",", ".")
        if not text:
            spec.pop(name, None)
            continue
        try:
            number = float(text)
        except ValueError:
            wrong[name] = "a number is needed"
            continue
        spec[name] = int(number) if number.is_integer() and name.endswith("_s") else number
    spec["metric"], spec["severity"] = fields["metric"], fields["severity"]
    if fields["direction"] == "below" or "direction" in before:
        spec["direction"] = fields["direction"]
    spec["summary"] = fields["summary"].strip()
    spec["notify"] = _words(fields["notify"])
    spec["match"] = {**(before.get("match") or {}), **{one: _words(fields[one]) for one in LISTS}}
    return spec, wrong


def field_of(name: str) -> str:
    """The editor's field that a field name of the API is about; empty where there is none."""
    parts = [part for part in name.split(".") if part not in {"body", "rule", "match"}]
    return parts[0] if parts and (parts[0] in to_fields(NEW)) else ""


def told(found: Backtest) -> list[tuple[str, str]]:
    """What a back-test found, as name and value."""
    facts = [
        (
            "over",
            f"{desk_words.counted(found.conversations, 'conversation')}, {found.hours:.1f} h",
        ),
        ("alerts", f"{found.alerts}{_rate(found.alerts_per_hour)}"),
        ("flaps", f"{found.flaps} (the same person again within minutes)"),
    ]
    if found.delay_s is not None:
        delay = found.delay_s
        facts.append(("delay", f"{delay.median:.0f} s median, {delay.p90:.0f} s in nine of ten"))
    if found.reviewed is None:
        facts.append(("reviewed", "nobody has judged such alerts yet"))
    else:
        seen = found.reviewed
        share = "" if seen.precision is None else f", {words.percent(seen.precision)} right"
        missed = f", {seen.missed} right ones missed" if seen.missed else ""
        counts = f"{seen.right} right, {seen.wrong} wrong, {seen.unclear} unclear"
        facts.append(("reviewed", f"{counts}{share}{missed}"))
    if found.suggested is not None:
        facts.append(("suggested", suggestion(found.suggested)))
    return facts


def rate(per_hour: float | None) -> str:
    """Alerts an hour; a dash where no hour was watched."""
    return words.NONE if per_hour is None else f"{per_hour:.2f}"


def suggestion(one: Threshold) -> str:
    """A threshold in words."""
    end = "" if one.exit is None else f", ends at {one.exit:.2f}"
    return f"raised at {one.enter:.2f}{end}: {rate(one.alerts_per_hour)} alerts an hour"


def threshold_chart(thresholds: Sequence[Threshold], enter: float | None) -> dict[str, Any]:
    """Alerts an hour over thresholds, with the rule's own marked; an ECharts option."""
    mark = (
        {}
        if enter is None
        else {
            "markLine": {
                "symbol": "none",
                "silent": True,
                "lineStyle": {"type": "dashed", "width": 2},
                "label": {
                    "formatter": "this rule",
                    "position": "end",
                    "color": "#808a98",
                    "textBorderWidth": 0,
                },
                "data": [{"xAxis": enter}],
            }
        }
    )
    return {
        "grid": {"left": 56, "right": 24, "top": 34, "bottom": 44},
        "tooltip": {"trigger": "axis"},
        "legend": {"top": 0, "right": 0},
        "animation": False,
        "xAxis": {
            "type": "value",
            "name": "raised at",
            "nameLocation": "middle",
            "nameGap": 26,
            "scale": True,
        },
        "yAxis": {"type": "value", "name": "an hour", "min": 0},
        "series": [
            {
                "name": "alerts an hour",
                "type": "line",
                "symbol": "circle",
                "symbolSize": 7,
                "data": [[one.enter, one.alerts_per_hour] for one in thresholds],
                **mark,
            },
            {
                "name": "flaps",
                "type": "line",
                "symbol": "triangle",
                "symbolSize": 8,
                "lineStyle": {"type": "dashed"},
                "data": [[one.enter, one.flaps] for one in thresholds],
            },
        ],
    }


def _rate(per_hour: float | None) -> str:
    return "" if per_hour is None else f", {per_hour:.2f} an hour"


def _words(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
