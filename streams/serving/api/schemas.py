"""OpenAPI schemas of msgspec types: one source for what is sent and what is documented."""

import inspect
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI

from storage.alerts import AlertDetail, AlertJson
from streams.alerts.report import BackTestBody
from streams.alerts.rule import RuleSpec
from streams.serving.access.routes import describe_access
from streams.serving.api import bodies_privacy as privacy
from streams.serving.api import examples
from streams.serving.api.bodies import (
    BucketPage,
    ConversationDetail,
    ConversationPage,
    ScorePage,
    TranscriptPage,
)
from streams.serving.api.bodies_access import AuditPage, KeyPage, MeBody, NewKeyBody
from streams.serving.api.bodies_alerts import AlertPage, DeliveryPage
from streams.serving.api.bodies_narrative import NarrativesBody
from streams.serving.api.bodies_platform import AliveBody, ReadyBody
from streams.serving.api.bodies_rules import BackTestRequest, RuleBody, RuleDetail, RulePage
from streams.serving.api.bodies_search import LabelBody, LabelMoments, LabelPage, SearchBody
from streams.serving.api.bodies_summary import SummaryBody
from streams.serving.api.bodies_system import SystemBody
from streams.serving.api.bodies_trends import ChangesBody, TrendsBody

TEMPLATE: Final = "#/components/schemas/{name}"
BODIES: Final = (
    *(ConversationPage, ConversationDetail, ScorePage, BucketPage, TranscriptPage),
    NarrativesBody,
    *(AlertPage, AlertDetail, AlertJson, DeliveryPage),
    *(RulePage, RuleBody, RuleDetail, RuleSpec, BackTestRequest, BackTestBody),
    *(TrendsBody, ChangesBody, SummaryBody, SystemBody),
    *(SearchBody, LabelPage, LabelBody, LabelMoments),
    *(privacy.DecisionPage, privacy.ConsentPage, privacy.Receipt, privacy.ErasurePage),
    *(MeBody, KeyPage, NewKeyBody, AuditPage),
    *(AliveBody, ReadyBody),
)


def answers(
    *types: type[msgspec.Struct], status: HTTPStatus = HTTPStatus.OK
) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses` of a route that answers `status` with one of `types`."""
    references = [{"$ref": TEMPLATE.format(name=one.__name__)} for one in types]
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    content = {"application/json": {"schema": schema}}
    return {status.value: {"description": status.phrase, "content": content}}


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
            describe_access(document, self)
            examples.fill(document)
        return self.openapi_schema or {}
