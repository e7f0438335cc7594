"""A rule in words, for the command line and whoever lists rules."""

from streams.alerts.rule import SILENCE, RuleSpec


def sentence(spec: RuleSpec) -> str:
    """When a rule fires and when it rests, as one line."""
    parts = [f"fires {_begins(spec)}", f"resolves {_ends(spec)}"]
    if spec.cooldown_s:
        parts.append(f"then rests for {spec.cooldown_s:g} s")
    if spec.min_speech:
        parts.append(f"counts windows with at least {spec.min_speech:.0%} speech")
    whom = [
        f"{name} {' or '.join(values)}"
        for name, values in (
            ("role", spec.match.roles),
            ("queue", spec.match.queues),
            ("language", spec.match.languages),
        )
        if values
    ]
    parts.append(f"watches {' and '.join(whom)}" if whom else "watches everybody")
    return "; ".join(parts)


def _begins(spec: RuleSpec) -> str:
    sign = "≥" if spec.sign > 0 else "≤"
    what = "on silence" if spec.metric == SILENCE else f"at {spec.metric} {sign} {spec.enter:g}"
    dwell = f" for {spec.for_s:g} s" if spec.for_s else ""
    if spec.after is None:
        return f"{what}{dwell}"
    after = spec.after
    return f"{what}{dwell}, begun within {after.within_s:g} s of {after.metric} ≥ {after.enter:g}"


def _ends(spec: RuleSpec) -> str:
    sign = "<" if spec.sign > 0 else ">"
    what = "on speech" if spec.metric == SILENCE else f"at {sign} {spec.exit:g}"
    return f"{what} for {spec.keep_firing_for_s:g} s" if spec.keep_firing_for_s else what
