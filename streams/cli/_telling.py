"""Who tells, put together from the settings."""

from inference.narrator.choice import open_narrator
from inference.narrator.template import TemplateNarrator
from streams.settings import Settings
from streams.telling import Teller


def open_teller(settings: Settings, part: str) -> Teller | None:
    """Load the narrator that the settings ask for; None where nobody is to tell.

    What it cannot tell, the template does.

    Args:
        settings: `narrator`, where models lie, and the base rate of distress.
        part: of the program, in the log.

    Raises:
        WeightsError: the folder that `narrator` names holds none.
    """
    narrator = open_narrator(settings.narrator, settings.models_dir)
    if narrator is None:
        return None
    return Teller(narrator, TemplateNarrator(), base_rate=settings.distress_base_rate, part=part)
