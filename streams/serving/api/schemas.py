"""OpenAPI schemas of msgspec types: one source for what is sent and what is documented."""

import inspect
from typing import Any, Final

import msgspec
from fastapi import FastAPI

from storage.alerts import AlertDetail, AlertJson
from streams.alerts.report import BackTestBody
from streams.alerts.rule import RuleSpec
from streams.serving.api import examples
from streams.serving.api.bodies import (
    BucketPage,
    ConversationDetail,
    ConversationPage,
    ScorePage,
    TranscriptPage,
)
from streams.serving.api.bodies_alerts import AlertPage, DeliveryPage
from streams.serving.api.bodies_platform import AliveBody, ReadyBody
from streams.serving.api.bodies_rules import BackTestRequest, RuleBody, RuleDetail, RulePage
from streams.serving.api.bodies_system import SystemBody
from streams.serving.api.bodies_trends import ChangesBody, TrendsBody

TEMPLATE: Final = "#/components/schemas/{name}"
BODIES: Final = (
    ConversationPage,
    ConversationDetail,
    ScorePage,
    BucketPage,
    TranscriptPage,
    AlertPage,
    AlertDetail,
    AlertJson,
    DeliveryPage,
    RulePage,
    RuleBody,
    RuleDetail,
    RuleSpec,
    BackTestRequest,
    BackTestBody,
    SystemBody,
    TrendsBody,
    ChangesBody,
    AliveBody,
    ReadyBody,
)


def answers(*types: type[msgspec.Struct]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses` of a route that answers 200 with one of `types`."""
    references = [{"$ref": TEMPLATE.format(name=one.__name__)} for one in types]
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    return {200: {"description": "OK", "content": {"application/json": {"schema": schema}}}}


class Documented(FastAPI):
    """FastAPI whose document also holds the schemas of `BODIES`, and examples."""

    def openapi(self) -> dict[str, Any]:
        """Made once, at the first question."""
        if self.openapi_schema is None:
            document = super().openapi()
            _, components = msgspec.json.schema_components(BODIES, ref_template=TEMPLATE)
            for schema in components.values():
                if "description" in schema:
                    schema["description"] = inspect.cleandoc(schema["description"])
            document.setdefault("components", {}).setdefault("schemas", {}).update(components)
            examples.fill(document)
        return self.openapi_schema or {}
