"""What every command does first."""

from streams import traces
from streams.settings import Settings, load
from streams.telemetry import configure_logging


def read_settings(*, service: str = "command", **options: object) -> Settings:
    """Read settings once, and begin to log and trace as they say.

    Args:
        service: what this process is called in traces.
        options: of the command line; None counts as not given.

    Raises pydantic.ValidationError naming every wrong or unknown key, TracesError where the
    extra `traces` is needed and missing.
    """
    settings = load(**options)
    configure_logging(settings.log_level, settings.log_format)
    traces.configure(settings.traces, settings.otlp_endpoint, service)
    return settings
