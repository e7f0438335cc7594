"""Examples for the OpenAPI document: one for every body and every parameter of a path.

They are made from the schemas, so that a new route has some; values that a reader knows from
the other documents stand in for what a schema leaves open.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from inference.contract import SCHEMA
from streams.serving import problems
from streams.serving.exports.flat import COLUMNS

Schema = Mapping[str, Any]
DEEPEST: Final = 12
METHODS: Final = ("get", "put", "post", "delete", "patch")

SCORE: Final[dict[str, Any]] = {
    "schema": SCHEMA,
    "id": "f5f4dbd4-4cd8-5d6b-8d5a-93a0ccf2a4a5",
    "run": "live",
    "tenant": "acme",
    "conversation": "c-42",
    "participant": "p-1",
    "role": "customer",
    "start": "2026-11-23T10:00:03Z",
    "end": "2026-11-23T10:00:06Z",
    "final": True,
    "emotions": {
        "anger": 0.61,
        "disgust": 0.05,
        "fear": 0.06,
        "joy": 0.01,
        "neutral": 0.17,
        "sadness": 0.08,
        "surprise": 0.02,
    },
    "distress": {"probability": 0.74, "smoothed": 0.69},
    "arousal": 0.71,
    "valence": -0.48,
    "decision": {
        "label": "anger",
        "set": ["anger", "neutral"],
        "coverage": 0.9,
        "abstained": False,
    },
    "modalities": {
        "speech": {"present": True, "weight": 0.52, "quality": {"coverage": 0.93, "level": 0.61}},
        "text": {"present": True, "weight": 0.48, "quality": {"coverage": 0.4}},
        "face": {"present": False, "reason": "no_camera"},
    },
    "conflict": 0.08,
    "vacuity": 0.21,
    "evidence": [
        {"modality": "text", "cue": "complaint phrase", "at": "2026-11-23T10:00:04.2Z"},
        {"modality": "speech", "cue": "pitch +2.1 sd against own first minute"},
    ],
    "versions": {
        "scorer": "default-1",
        "calibration": "speech-emodb-2+49837be5",
        "fusion": "late",
        "config": "sha256:d0c9ef7fd57ba592",
    },
    "partial": False,
    "shed": [],
    "change": 2.4,
}
BY_SCHEMA: Final[dict[str, Any]] = {
    "ScoreJson": SCORE,
    "RuleSpec": {
        "metric": "distress",
        "enter": 0.6,
        "exit": 0.45,
        "direction": "above",
        "for_s": 10.0,
        "keep_firing_for_s": 10.0,
        "cooldown_s": 60.0,
        "min_speech": 0.2,
        "severity": "critical",
        "match": {"roles": ["customer"], "queues": ["billing"], "languages": []},
        "notify": ["webhook:crm", "alertmanager"],
        "summary": "A customer has sounded distressed for ten seconds",
        "runbook": "sustained-distress",
        "after": None,
    },
    "TrendBody": {
        "key": "billing",
        "start": "2026-11-23T10:00:00Z",
        "end": "2026-11-23T11:00:00Z",
        "conversations": 12,
        "windows": 4_310,
        "scored": 3_902,
        "distress": {"mean": 0.21, "low": 0.16, "high": 0.26},
        "emotions": SCORE["emotions"],
        "arousal": 0.44,
        "valence": -0.12,
        "withheld": False,
    },
    "ChangeBody": {
        "key": "billing",
        "now": {"mean": 0.31, "conversations": 48},
        "before": {"mean": 0.22, "conversations": 51},
        "difference": 0.09,
        "low": 0.02,
        "high": 0.16,
        "news": True,
        "withheld": False,
    },
}
WORDS: Final[dict[str, str]] = {
    "author": "key of ana",
    "channel": "telephone",
    "conversation": "c-42",
    "cursor": "MTc2NDAwMDAwMjAwMDAwMDAwMA",
    "end": "2026-11-23T11:00:00Z",
    "id": "c-42",
    "key": "billing",
    "language": "en",
    "name": "sustained-distress",
    "next": "MTc2NDAwMDAwMjAwMDAwMDAwMA",
    "participant": "p-1",
    "purpose": "service",
    "queue": "billing",
    "region": "eu",
    "tenant": "acme",
    "to": "2026-11-23T11:00:00Z",
}
"""Text by the name of its field."""
UUID: Final = "f5f4dbd4-4cd8-5d6b-8d5a-93a0ccf2a4a5"
TEXTS: Final = ("example", "2026-11-23T10:00:00Z", "c-42", "1", "p-1", "0004", UUID)
"""For what has a pattern; the first that fits."""
STRETCH: Final = {"from": "2026-11-23T10:00:00Z", "to": "2026-11-23T11:00:00Z"}
"""A stretch of time is an hour, and no moment."""
FORMATS: Final = {
    "date-time": "2026-11-23T10:00:00Z",
    "uuid": UUID,
    "uri": "https://example.org/hook",
    "uri-reference": "/v1/conversations/c-42",
}
FILES: Final[dict[str, str]] = {
    "application/x-ndjson": msgspec.json.encode(SCORE).decode() + "\n",
    "text/csv": ",".join(COLUMNS) + "\r\n",
    "text/vtt": "WEBVTT\n\n00:00:03.000 --> 00:00:04.000\n"
    "<v customer p-1>customer p-1: anger 61 %, distress 74 %\n",
    "application/emotionml+xml": '<emotionml version="1.0" '
    'xmlns="http://www.w3.org/2009/10/emotionml"/>\n',
    "text/event-stream": "event: ready\nid: 41\nretry: 2000\ndata: {}\n\nevent: score\nid: 42\n"
    f"data: {msgspec.json.encode(SCORE).decode()}\n\n",
    "text/plain": "affectstream_live_listeners 1.0\n",
}
"""By media type: what is not JSON. Binary files have none."""


def fill(document: dict[str, Any]) -> None:
    """Add examples wherever `document` has none, in place."""
    components: Schema = document.get("components", {}).get("schemas", {})
    for path, item in document["paths"].items():
        for method in METHODS:
            operation = item.get(method)
            if operation is None:
                continue
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    value = example_of(parameter["schema"], components, parameter["name"])
                    parameter.setdefault("example", value)
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                _add(content, media_type, components)
            for status, response in operation["responses"].items():
                for media_type, content in response.get("content", {}).items():
                    if media_type == problems.MEDIA_TYPE:
                        content.setdefault("example", _problem(int(status), path))
                    _add(content, media_type, components)


def _add(content: dict[str, Any], media_type: str, components: Schema) -> None:
    schema = content.get("schema", {})
    if "example" in content or "examples" in content or schema.get("format") == "binary":
        return
    if media_type in FILES:
        content["example"] = FILES[media_type]
    else:
        content["example"] = example_of(schema, components)


def _problem(status: int, path: str) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    detail = "What went wrong, and what to change."
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": re.sub(r"\{\w+\}", "c-42", path),
    }


def example_of(schema: Schema, components: Schema, name: str = "", depth: int = 0) -> Any:
    """A value that `schema` admits.

    Args:
        schema: JSON Schema as msgspec, pydantic and FastAPI write it.
        components: what its references lead to, by name.
        name: of the field that has it.
        depth: of the field; deep down, lists are empty.
    """
    if "$ref" in schema:
        kind = schema["$ref"].rpartition("/")[2]
        if kind in BY_SCHEMA:
            return BY_SCHEMA[kind]
        return example_of(components[kind], components, name, depth + 1)
    for said in ("example", "const", "default"):
        if schema.get(said) not in (None, (), []):  # an empty list shows nothing
            return schema[said]
    for several in ("examples", "enum"):
        if several in schema:
            return schema[several][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            parts = [part for part in schema[choice] if part.get("type") != "null"]
            return example_of(parts[0], components, name, depth)
    return _of_type(schema, components, name, depth)


def _of_type(schema: Schema, components: Schema, name: str, depth: int) -> Any:
    kind = schema.get("type", "object")
    if kind == "object":
        return _object(schema, components, name, depth)
    if kind == "array":
        if depth >= DEEPEST or not (schema.get("items") or schema.get("prefixItems")):
            return []
        parts = schema.get("prefixItems") or [schema["items"]]
        return [example_of(part, components, name, depth + 1) for part in parts]
    if kind == "string":
        return _text(schema, name)
    if kind in {"integer", "number"}:
        return _number(schema, whole=kind == "integer")
    return kind == "boolean" or None


def _object(schema: Schema, components: Schema, name: str, depth: int) -> dict[str, Any]:
    if name == "emotions":
        return dict(SCORE["emotions"])
    properties = schema.get("properties", {})
    found = {key: example_of(part, components, key, depth + 1) for key, part in properties.items()}
    more = schema.get("additionalProperties")
    if not properties and isinstance(more, Mapping):
        keys = {"weights": "speech", "modalities": "speech", "counts": "p-1"}
        found[keys.get(name, "name")] = example_of(more, components, "", depth + 1)
    return found


def _text(schema: Schema, name: str) -> str:
    kind = schema.get("format", "")
    if kind == "date-time" and name in STRETCH:
        return STRETCH[name]
    known: str | None = FORMATS.get(kind)
    if known is not None:
        return known
    pattern = schema.get("pattern", "")
    low, high = schema.get("minLength", 0), schema.get("maxLength", 1 << 20)
    for text in (WORDS.get(name, TEXTS[0]), *TEXTS):
        if re.search(pattern, text) and low <= len(text) <= high:
            return text
    return "x" * max(int(low), 1)


def _number(schema: Schema, *, whole: bool) -> float:
    """In the middle of what is admitted where that is small, else small."""
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if whole:
        return int(max(low, 1 if high is None else min(1, high)))
    return float(low + 0.5 if high is None else (low + high) / 2)
