"""Policy gates for tests that are about something else."""

from collections.abc import Collection

from inference.labels import Modality
from storage.values import ConsentChange, Ruling
from streams.records import ControlEvent


class Everything:
    """A gate that permits everything."""

    def __init__(self, tenant: str = "") -> None:
        """For whomever."""

    def apply(self, event: ControlEvent) -> None:
        """Nothing to remember."""

    def permitted_throughout(
        self, participant: str, modality: Modality, start_ns: int, end_ns: int
    ) -> bool:
        """Yes."""
        return True

    def withdrawn_at(self, participant: str) -> int | None:
        """Never."""

    def rulings(self, others: Collection[str], since_ns: int) -> tuple[Ruling, ...]:
        """Nothing to decide."""
        return ()

    def consents(self) -> tuple[ConsentChange, ...]:
        """Nothing was said."""
        return ()
