"""The optional methods that the settings switch on."""

from pathlib import Path

from inference.imputation.weights import load_foresight
from inference.methods import Foresight, Methods, SharedSpace
from inference.narrator.choice import open_narrator
from streams.cli._context import context_of
from streams.cli._search import open_space
from streams.settings import Settings


def open_methods(settings: Settings) -> Methods:
    """Load what is switched on; by default nothing but the template of the narrator.

    Raises:
        AffectstreamError: weights are missing, damaged, or of another shared space.
    """
    space = open_space(settings) if settings.search or settings.imputation != "none" else None
    narrator = open_narrator(settings.narrator, settings.models_dir)
    return Methods(
        space=space,
        foresight=_foresight(settings, space),
        context=context_of(settings),
        keeps_moments=settings.search,
        narrator="" if narrator is None else narrator.version,
    )


def _foresight(settings: Settings, space: SharedSpace | None) -> Foresight | None:
    if settings.imputation == "none" or space is None:
        return None
    folder = Path(settings.imputation_weights) if settings.imputation_weights else None
    return load_foresight(settings.imputation, folder, space.version)
