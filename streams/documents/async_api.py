"""The AsyncAPI 3 document: every topic, the live stream and webhooks, from the types themselves."""

import importlib
import importlib.util
import inspect
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, Final

import msgspec

from inference.contract import ScoreJson
from streams import topics
from streams.cloud_events import JSON, MSGPACK, SOURCE
from streams.records import AudioChunk, ControlEvent, TranscriptSegment, VideoFrame
from streams.worker.dead_letters import (
    DETAIL_HEADER,
    OFFSET_HEADER,
    PARTITION_HEADER,
    REASON_HEADER,
    TOPIC_HEADER,
)

TEMPLATE: Final = "#/components/schemas/{name}"
RECORDS: Final[dict[str, tuple[str, type[msgspec.Struct], str]]] = {
    "audio": (topics.AUDIO, AudioChunk, "Audio of one participant."),
    "frames": (topics.FRAMES, VideoFrame, "Camera pictures of one participant."),
    "transcripts": (topics.TRANSCRIPTS, TranscriptSegment, "Words of one participant."),
    "control": (topics.CONTROL, ControlEvent, "What happened to a conversation."),
}
"""Channel, topic, type and summary of what is read from Kafka."""
KEY: Final = {
    "type": "string",
    "pattern": "^[A-Za-z0-9._:-]{1,128}/[A-Za-z0-9._:-]{1,128}$",
    "description": "`tenant/conversation`: every record of a conversation lies on one partition.",
}


class EndedJson(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation ended."""

    tenant: str
    conversation: str
    ended_ns: int


class WithdrawnJson(msgspec.Struct, frozen=True, kw_only=True):
    """A participant took their consent back."""

    tenant: str
    conversation: str
    participant: str
    withdrawn_ns: int
    """What ends after it is deleted: show it no more."""
    deleted_windows: int


class GivenUpJson(msgspec.Struct, frozen=True, kw_only=True):
    """A window that failed too often to be scored or stored."""

    tenant: str
    conversation: str
    participant: str
    start_ns: int
    end_ns: int


class ReadyJson(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stream starts: nothing."""


class GapJson(msgspec.Struct, frozen=True, kw_only=True):
    """Events before this one are too old to repeat."""

    after: int
    """`Last-Event-ID` that was asked for."""
    resumed_at: int
    """The stream goes on after this id, which is the event's own."""


def alert_type() -> type[msgspec.Struct] | None:
    """What is told of an alert on every channel; None where alerts are not part of this build."""
    if importlib.util.find_spec("storage.alerts") is None:
        return None
    found: type[msgspec.Struct] | None = getattr(
        importlib.import_module("storage.alerts"), "AlertNews", None
    )
    return found


def document(alert: type[msgspec.Struct] | None) -> dict[str, Any]:
    """The document; the same types give the same document.

    Args:
        alert: what is told of an alert; None leaves its channels out.
    """
    types: list[type[msgspec.Struct]] = [kind for _, kind, _ in RECORDS.values()]
    types += [ScoreJson, GivenUpJson, EndedJson, WithdrawnJson, ReadyJson, GapJson]
    if alert is not None:
        types.append(alert)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "affectstream",
            "version": version("affectstream"),
            "description": "Records that affectstream reads from Kafka, and scores and alerts "
            "that it tells of on Kafka, as server-sent events and by webhook. A score is a "
            "calibrated estimate of how listeners would describe what they hear and see.",
            "license": {"name": "Apache-2.0"},
        },
        "servers": {
            "kafka": {
                "host": "127.0.0.1:9092",
                "protocol": "kafka",
                "description": "The setting `kafka`.",
            },
            "api": {
                "host": "127.0.0.1:8000",
                "protocol": "http",
                "description": "`affectstream serve`.",
            },
        },
        "channels": _channels(alert),
        "operations": _operations(alert),
        "components": {
            "schemas": _schemas(types)
            | {"CloudEvent": _cloud_event(), "DeadLetter": _dead_letter_headers()},
            "messages": _messages(alert),
        },
    }


def _channels(alert: type[msgspec.Struct] | None) -> dict[str, Any]:
    channels = {
        name: _topic(topic, (kind.__name__,), summary)
        for name, (topic, kind, summary) in RECORDS.items()
    }
    for name, (topic, _, _) in RECORDS.items():
        dead, late = topics.dead_letters(topic), topics.late(topic)
        channels[f"{name}DeadLetters"] = _topic(dead, ("DeadLetter",), "What no window can take.")
        channels[f"{name}Late"] = _topic(late, ("DeadLetter",), "What came too late.")
    channels["scores"] = _topic(topics.SCORES, ("Score",), "Final scores.")
    given_up = topics.dead_letters(topics.SCORES)
    channels["scoresDeadLetters"] = _topic(given_up, ("GivenUp",), "Windows without a score.")
    live = ["Ready", "LiveScore", "Provisional", "Ended", "Withdrawn", "Gap"]
    if alert is not None:
        channels["alerts"] = _topic(topics.ALERTS, ("Alert",), "Alerts that fire and end.")
        live.append("LiveAlert")
        channels["webhooks"] = {
            "address": None,
            "description": "Sent by POST to the URLs of the setting `webhooks`, signed as "
            "Standard Webhooks asks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.",
            "messages": _references("Alert"),
        }
    channels["live"] = {
        "address": "/v1/live",
        "servers": [{"$ref": "#/servers/api"}],
        "description": "Server-sent events. `Last-Event-ID` goes on after the event of that id.",
        "messages": _references(*live),
        "bindings": {"http": {}},
    }
    return channels


def _topic(topic: str, messages: Iterable[str], description: str) -> dict[str, Any]:
    return {
        "address": topic,
        "servers": [{"$ref": "#/servers/kafka"}],
        "description": description,
        "messages": _references(*messages),
        "bindings": {"kafka": {"topic": topic}},
    }


def _references(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _operations(alert: type[msgspec.Struct] | None) -> dict[str, Any]:
    """As this application sees them: it receives records and sends everything else."""
    operations = {
        f"receive{name.capitalize()}": _operation("receive", name, summary)
        for name, (_, _, summary) in RECORDS.items()
    }
    for name in RECORDS:
        for kind in ("DeadLetters", "Late"):
            operations[f"send{name.capitalize()}{kind}"] = _operation("send", name + kind)
    for name in (
        "scores",
        "scoresDeadLetters",
        "live",
        *(("alerts", "webhooks") if alert is not None else ()),
    ):
        operations[f"send{name[0].upper()}{name[1:]}"] = _operation("send", name)
    return operations


def _operation(action: str, channel: str, summary: str | None = None) -> dict[str, Any]:
    told = {} if summary is None else {"summary": summary}
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, **told}


def _messages(alert: type[msgspec.Struct] | None) -> dict[str, Any]:
    messages = {
        kind.__name__: _on_kafka(kind.__name__, kind.__name__, MSGPACK, summary)
        for _, kind, summary in RECORDS.values()
    }
    messages["Score"] = _on_kafka("Score", "ScoreJson", JSON, "The final score of one window.")
    messages["DeadLetter"] = {
        "name": "DeadLetter",
        "summary": "A record with its bytes unchanged; the headers say why it is here.",
        "contentType": MSGPACK,
        "headers": {"$ref": "#/components/schemas/DeadLetter"},
        "bindings": {"kafka": {"key": KEY}},
    }
    messages["GivenUp"] = {
        "name": "GivenUp",
        "summary": "Which window was given up; the headers say why.",
        "contentType": JSON,
        "headers": {"$ref": "#/components/schemas/DeadLetter"},
        "payload": {"$ref": TEMPLATE.format(name="GivenUpJson")},
        "bindings": {"kafka": {"key": KEY}},
    }
    for name, (event, schema, summary) in {
        "Ready": ("ready", "ReadyJson", "The stream starts at its id."),
        "LiveScore": ("score", "ScoreJson", "A final score."),
        "Provisional": ("provisional", "ScoreJson", "A score that is not final; has no id."),
        "Ended": ("ended", "EndedJson", "A conversation ended."),
        "Withdrawn": ("withdrawn", "WithdrawnJson", "Consent was taken back."),
        "Gap": ("gap", "GapJson", "Events are too old to repeat: load what you show again."),
    }.items():
        messages[name] = _on_stream(event, schema, summary)
    if alert is not None:
        told = alert.__name__
        messages["Alert"] = _on_kafka("Alert", told, JSON, "An alert fires or ends.")
        summary = "An alert fires, ends, or somebody did something about it."
        messages["LiveAlert"] = _on_stream("alert", told, summary)
    return messages


def _on_kafka(name: str, schema: str, content_type: str, summary: str) -> dict[str, Any]:
    return {
        "name": name,
        "summary": summary,
        "contentType": content_type,
        "headers": {"$ref": "#/components/schemas/CloudEvent"},
        "payload": {"$ref": TEMPLATE.format(name=schema)},
        "bindings": {"kafka": {"key": KEY}},
    }


def _on_stream(event: str, schema: str, summary: str) -> dict[str, Any]:
    return {
        "name": event,
        "title": f"event: {event}",
        "summary": summary,
        "contentType": JSON,
        "payload": {"$ref": TEMPLATE.format(name=schema)},
    }


def _schemas(types: Iterable[type[msgspec.Struct]]) -> dict[str, Any]:
    """JSON Schemas of `types` and what they are made of; fields of arrays have their names."""
    wanted = list(types)
    _, found = msgspec.json.schema_components(wanted, ref_template=TEMPLATE)
    for kind in wanted:
        schema = found[kind.__name__]
        fields = msgspec.structs.fields(kind)
        for field, item in zip(fields, schema.get("prefixItems", ()), strict=False):
            item.setdefault("title", field.name)
            if item.pop("contentEncoding", None):  # as JSON would have it; msgpack has bytes
                item["format"] = "binary"
                item.pop("maxLength", None)
    for schema in found.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
    return found


def _cloud_event() -> dict[str, Any]:
    """Headers as `streams.cloud_events` writes them."""
    return {
        "title": "CloudEvent",
        "description": "CloudEvents 1.0, binary mode: the same `ce_id` is the same event.",
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject"],
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": {"type": "string"},
            "ce_source": {"const": SOURCE},
            "ce_type": {"type": "string", "description": "The topic."},
            "ce_subject": {"type": "string", "description": "`tenant/conversation`."},
            "content-type": {"enum": [JSON, MSGPACK]},
        },
    }


def _dead_letter_headers() -> dict[str, Any]:
    names = (REASON_HEADER, DETAIL_HEADER, TOPIC_HEADER, PARTITION_HEADER, OFFSET_HEADER)
    return {
        "title": "DeadLetter",
        "type": "object",
        "required": [REASON_HEADER],
        "properties": {name: {"type": "string"} for name in names},
    }
