"""What may be wrong with what a user gives us."""

from pathlib import Path

from inference.errors import AffectstreamError


class MediaError(AffectstreamError):
    """A file cannot be used as it is. One line: the file, then what is wrong with it."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path


class WhoIsWhoError(AffectstreamError):
    """Names, roles and tracks that were given do not fit the file."""


class OptionError(AffectstreamError):
    """An option is outside of what it may be."""


class PublishError(AffectstreamError):
    """Kafka did not take the records."""

    retryable = True
