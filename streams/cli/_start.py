"""What every command does first."""

from streams.settings import Settings, load
from streams.telemetry import configure_logging


def read_settings(**options: object) -> Settings:
    """Read settings once, and begin to log as they say.

    Args:
        options: of the command line; None counts as not given.

    Raises pydantic.ValidationError naming every wrong or unknown key.
    """
    settings = load(**options)
    configure_logging(settings.log_level, settings.log_format)
    return settings
