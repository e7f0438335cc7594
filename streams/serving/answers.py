"""What is answered: msgspec structs as JSON."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from fastapi import Response

JSON: Final = "application/json"


def json_answer(
    body: msgspec.Struct,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`body` as it is documented."""
    return Response(msgspec.json.encode(body), status, headers, JSON)
