"""Who tells, put together from the settings."""

from inference.narrator.template import TemplateNarrator
from streams.settings import Settings
from streams.telling import Teller

NOBODY = "none"


def open_teller(settings: Settings, part: str) -> Teller | None:
    """Load the narrator that the settings ask for; None where nobody tells.

    Args:
        settings: `narrator`, and the base rate of distress.
        part: of the program, in the log.
    """
    if settings.narrator == NOBODY:
        return None
    template = TemplateNarrator()
    return Teller(
        template,
        template,
        base_rate=settings.distress_base_rate,
        part=part,
    )
