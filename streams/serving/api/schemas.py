"""OpenAPI schemas of msgspec types: one source for what is sent and what is documented."""

from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI

from streams.serving.api import bodies_privacy as privacy
from streams.serving.api.bodies import (
    BucketPage,
    ConversationDetail,
    ConversationPage,
    ScorePage,
    TranscriptPage,
)

TEMPLATE: Final = "#/components/schemas/{name}"
BODIES: Final = (
    ConversationPage,
    ConversationDetail,
    ScorePage,
    BucketPage,
    TranscriptPage,
    privacy.DecisionPage,
    privacy.ConsentPage,
    privacy.Receipt,
    privacy.ErasurePage,
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
    """FastAPI whose document also holds the schemas of `BODIES`."""

    def openapi(self) -> dict[str, Any]:
        """Made once, at the first question."""
        if self.openapi_schema is None:
            document = super().openapi()
            _, components = msgspec.json.schema_components(BODIES, ref_template=TEMPLATE)
            document.setdefault("components", {}).setdefault("schemas", {}).update(components)
        return self.openapi_schema or {}
