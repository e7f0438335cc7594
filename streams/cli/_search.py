"""What commands that search put together from the settings."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine

from streams.settings import Settings

if TYPE_CHECKING:
    from inference.methods import SharedSpace
    from streams.serving.finder import Finder


def open_space(settings: Settings) -> "SharedSpace":
    """The shared space of the settings; takes a second. Raises WeightsError."""
    from inference.alignment.space import AlignedSpace
    from inference.experts.word_vectors import WordVectors

    folder = Path(settings.alignment_weights) if settings.alignment_weights else None
    return AlignedSpace.load(WordVectors.load(), folder)


def open_finder(settings: Settings, engine: AsyncEngine) -> "Finder | None":
    """What searches `engine`; None where the settings keep no vectors. Raises WeightsError."""
    from storage.moment_search import MomentSearch
    from streams.serving.finder import Finder

    if not settings.search:
        return None
    space = open_space(settings)
    return Finder(space, MomentSearch(engine, space.version))
