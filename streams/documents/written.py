"""Both documents as files, made from the routes and types of this build."""

import json
from pathlib import Path
from typing import Any, Final

from storage.cache import MemoryCache
from storage.engine import open_engine
from streams.documents import async_api
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api

OPENAPI: Final = "openapi.json"
ASYNCAPI: Final = "asyncapi.json"


def documents() -> dict[str, dict[str, Any]]:
    """Both by file name, made from the types and routes of this build. Opens nothing."""
    engine = open_engine("sqlite+aiosqlite://")  # connects only when it is asked
    api = build_api(engine, MemoryCache(), everyone("default"))
    return {OPENAPI: api.app.openapi(), ASYNCAPI: async_api.document(async_api.alert_type())}


def write(folder: Path) -> list[Path]:
    """Write both into `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, document in documents().items():
        path = folder / name
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        written.append(path)
    return written
