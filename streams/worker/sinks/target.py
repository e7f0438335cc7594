"""What the relay asks of a program outside."""

from typing import Protocol

from inference.errors import AffectstreamError
from storage.outbox import Message


class UnreachableError(AffectstreamError):
    """Nobody takes anything there now: everything for this target waits."""


class FailedError(AffectstreamError):
    """It did not take this message now; others may go on."""


class RefusedError(AffectstreamError):
    """It will never take this message as it is."""


class Target(Protocol):
    """One program outside. Errors never quote its address: that may hold a secret."""

    @property
    def sink(self) -> str:
        """As deliveries name it."""
        ...

    @property
    def tenant(self) -> str | None:
        """Whose alerts it may have; None for everybody's."""
        ...

    async def send(self, message: Message) -> None:
        """Return once it has the message.

        Raises UnreachableError, FailedError or RefusedError.
        """
        ...
