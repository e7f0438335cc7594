"""What commands that erase put together from the settings."""

from sqlalchemy.ext.asyncio import AsyncEngine

from storage.cache import Cache
from storage.digests import Digests
from storage.erasure import Eraser
from streams.settings import Settings


def open_eraser(settings: Settings, engine: AsyncEngine, cache: Cache) -> Eraser:
    """Erases under the secret and the retention of the settings."""
    return Eraser(
        engine,
        cache,
        digests=Digests(settings.secret.get_secret_value()),
        kafka_retention_h=settings.kafka_retention_h,
    )
