"""The documents in `docs/` are those of this build, and what they show is true."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from jsonschema import Draft202012Validator

from inference.contract import to_json
from inference.labels import Role
from storage.messages import SINKS
from streams import topics
from streams.cloud_events import JSON, MSGPACK, cloud_event
from streams.documents import async_api
from streams.documents.written import ASYNCAPI, OPENAPI, documents, write
from streams.records import (
    AudioChunk,
    BadRecordError,
    ControlEvent,
    ControlKind,
    TranscriptSegment,
    VideoFrame,
)
from streams.serving import problems
from streams.windows.tracker import Slot
from streams.worker.dead_letters import unusable, window_letter
from streams.worker.feed import RawRecord
from tests.scores import distressed

DOCS = Path(__file__).parents[2] / "docs"
PARSER = Path(__file__).parents[1] / "node" / "node_modules" / "@asyncapi" / "parser"
PARSE = """
const { Parser } = require(process.argv[1]);
const text = require('fs').readFileSync(process.argv[2], 'utf8');
new Parser().parse(text).then(({ document, diagnostics }) => {
  const errors = diagnostics.filter((one) => one.severity === 0);
  for (const one of errors) console.log(one.path.join('.'), one.message);
  process.exit(document && !errors.length ? 0 : 1);
});
"""
IDS = {"tenant": "acme", "conversation": "c-1", "participant": "p-1", "sequence": 1}
RECORDS = (
    AudioChunk(**IDS, start_ns=1, duration_ns=2),
    VideoFrame(**IDS, captured_ns=1, width=4, height=4),
    TranscriptSegment(**IDS, start_ns=1, end_ns=2, text="hello", confidence=0.5),
    ControlEvent(**IDS, kind=ControlKind.STARTED, at_ns=1, attributes={"role": "customer"}),
)
METHODS = ("get", "put", "post", "delete", "patch")


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, Any]]:
    return documents()


@pytest.mark.parametrize("name", [OPENAPI, ASYNCAPI])
def test_the_committed_document_is_made_from_this_build(
    name: str, made: dict[str, dict[str, Any]]
) -> None:
    current = json.loads(json.dumps(made[name]))
    assert json.loads((DOCS / name).read_text()) == current, (
        "run `affectstream documents docs`, and add a line to CHANGELOG"
    )


def test_documents_are_the_same_each_time(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write(tmp_path / "one")]
    assert first == [path.read_bytes() for path in write(tmp_path / "other")]


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Where it is, its media type, and what is said of each body of each route."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            operation = item[method]
            for media, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{method} {path}", media, content
            for status, response in operation["responses"].items():
                for media, content in response.get("content", {}).items():
                    yield f"{method} {path} {status}", media, content


def examples(content: dict[str, Any]) -> list[Any]:
    several = [one["value"] for one in content.get("examples", {}).values()]
    return several + ([content["example"]] if "example" in content else [])


def test_every_body_has_an_example_that_fits_its_schema(made: dict[str, dict[str, Any]]) -> None:
    document = made[OPENAPI]
    components = {"components": document["components"]}
    found = list(bodies(document))
    assert len(found) > 20
    for place, media, content in found:
        schema = content["schema"]
        assert schema, f"{place}: no schema"
        shown = examples(content)
        if schema.get("format") == "binary":
            continue
        assert shown, f"{place}: no example"
        for example in shown:
            errors = [
                f"{error.json_path}: {error.message}"
                for error in Draft202012Validator(components | schema).iter_errors(example)
            ]
            assert not errors, f"{place} {media}: {errors}"


def test_every_parameter_of_a_path_has_an_example_that_fits(
    made: dict[str, dict[str, Any]],
) -> None:
    for path, item in made[OPENAPI]["paths"].items():
        for method in METHODS:
            for parameter in item.get(method, {}).get("parameters", ()):
                if parameter["in"] == "path":
                    Draft202012Validator(parameter["schema"]).validate(parameter["example"])
                    assert parameter["example"], path


def test_a_problem_shows_its_own_status(made: dict[str, dict[str, Any]]) -> None:
    for place, media, content in bodies(made[OPENAPI]):
        if media == problems.MEDIA_TYPE:
            assert [one["status"] for one in examples(content)] == [int(place.split()[-1])]


def test_every_topic_has_a_channel(made: dict[str, dict[str, Any]]) -> None:
    addresses = {channel["address"] for channel in made[ASYNCAPI]["channels"].values()}
    assert set(topics.ALL) - addresses <= {topics.ALERTS}, "alerts where they are built"
    assert addresses - set(topics.ALL) <= {"/v1/live", None}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records_fit_what_is_said_of_them(record: Any, made: dict[str, dict[str, Any]]) -> None:
    components = made[ASYNCAPI]["components"]
    schema = components["schemas"][type(record).__name__]
    value = msgspec.to_builtins(record)
    Draft202012Validator({"components": components} | schema).validate(value)
    names = [item["title"] for item in schema["prefixItems"]]
    assert names == [field.name for field in msgspec.structs.fields(record)]
    assert len(value) == len(names)


def test_scores_headers_and_stream_events_fit_what_is_said_of_them(
    made: dict[str, dict[str, Any]],
) -> None:
    components = made[ASYNCAPI]["components"]

    def fits(name: str, value: Any) -> None:
        schema = {"components": components} | components["schemas"][name]
        Draft202012Validator(schema).validate(value)

    fits("ScoreJson", json.loads(to_json(distressed(0))))
    for content_type in (JSON, MSGPACK):
        headers = cloud_event("1", topics.SCORES, subject="acme/c-1", content_type=content_type)
        fits("CloudEvent", headers)
    draft = SimpleNamespace(
        tenant="acme", conversation="c-1", participant="p-1", start_ns=1, end_ns=2
    )
    given_up = window_letter(cast("Any", draft), "no")
    letter = unusable(topics.AUDIO, 1, RawRecord(2, b"k", b"v", 1), Slot(2), BadRecordError("no"))
    for one in (given_up, letter):
        fits("DeadLetter", dict(one.headers))
    assert given_up.value is not None
    fits("GivenUpJson", json.loads(given_up.value))
    fits("EndedJson", {"tenant": "acme", "conversation": "c-1", "ended_ns": 1})
    fits("GapJson", {"after": 1, "resumed_at": 9})
    told = {"participant": "p-1", "withdrawn_ns": 1, "deleted_windows": 2}
    fits("WithdrawnJson", {"tenant": "acme", "conversation": "c-1"} | told)


def test_every_kind_of_the_live_stream_is_described(made: dict[str, dict[str, Any]]) -> None:
    stored = {kind for kind, sinks in SINKS.items() if "feed" in sinks}
    document = made[ASYNCAPI]
    live = document["channels"]["live"]["messages"]
    messages = document["components"]["messages"]
    names = {messages[one]["name"] for one in live}
    assert names == stored | {"ready", "provisional", "gap"}
    answer = made[OPENAPI]["paths"]["/v1/live"]["get"]["responses"]["200"]
    assert set(re.findall(r"`(\w+)`", answer["description"])) >= names


class ToldJson(msgspec.Struct, frozen=True, kw_only=True):
    """Stands for what is told of an alert."""

    id: str
    role: Role


def test_alerts_have_a_topic_an_event_and_webhooks_where_they_are_part_of_the_build() -> None:
    document = async_api.document(ToldJson)
    channels = document["channels"]
    assert channels["alerts"]["address"] == topics.ALERTS
    assert "LiveAlert" in channels["live"]["messages"]
    assert {"webhooks", "live", "scores"} <= channels.keys()
    message = document["components"]["messages"]["Alert"]
    assert message["payload"]["$ref"].endswith("/ToldJson")
    assert "alerts" not in async_api.document(None)["channels"]


def test_every_reference_leads_somewhere(made: dict[str, dict[str, Any]]) -> None:
    for document in (*made.values(), async_api.document(ToldJson)):
        for target in references(document):
            place: Any = document
            for step in target.removeprefix("#/").split("/"):
                place = place[step]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


@pytest.mark.parametrize("alert", [None, ToldJson])
def test_the_parser_of_asyncapi_accepts_the_document(alert: Any, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not PARSER.exists():
        pytest.skip("no @asyncapi/parser: install tests/node with npm")
    path = tmp_path / "asyncapi.json"
    path.write_text(json.dumps(async_api.document(alert)))
    done = subprocess.run(
        [node, "-e", PARSE, str(PARSER), str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
