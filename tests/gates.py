"""Policy gates for tests that are about something else."""

from inference.labels import Modality
from streams.records import ControlEvent


class Everything:
    """A gate that permits everything."""

    def apply(self, event: ControlEvent) -> None:
        """Nothing to remember."""

    def permitted_throughout(
        self, participant: str, modality: Modality, start_ns: int, end_ns: int
    ) -> bool:
        """Yes."""
        return True
