"""A narrator that never raises: what it cannot tell, the template does, or nobody."""

import asyncio
from dataclasses import replace
from typing import Final

from inference.narrator.contract import Narrative, Narrator
from inference.narrator.incident import IncidentRecord
from streams.records import storable
from streams.telemetry import logger, whereabouts

BASE_RATE: Final = 0.1
"""Of distress, where nobody set one: that of the settings."""
LONGEST_NAME: Final = 128
"""Of a narrator, as it is stored."""


class Teller:
    """Tells a record, or gives None where nobody could.

    Args:
        narrator: who tells.
        fallback: who tells where `narrator` raised.
        base_rate: of distress, that the scores are calibrated to.
        part: of the program, in the log.
    """

    def __init__(
        self,
        narrator: Narrator,
        fallback: Narrator,
        *,
        base_rate: float = BASE_RATE,
        part: str = "worker",
    ) -> None:
        self.base_rate = base_rate
        self.errors = 0
        """How often a narrator raised."""
        self.fell_back = 0
        """How many texts were not told by who was asked first."""
        self._narrators = (narrator, fallback)
        self._turn = asyncio.Lock()
        self._log = logger(part)

    def tell(self, record: IncidentRecord) -> Narrative | None:
        """`record` in words that can be stored; never raises."""
        for place, narrator in enumerate(self._narrators):
            try:
                told = narrator.tell(record)
            except Exception as exc:  # noqa: BLE001 - a text may cost nothing else
                self.failed(exc)
                continue
            self.fell_back += told.fell_back or place > 0
            return replace(
                told, text=storable(told.text), narrator=storable(told.narrator)[:LONGEST_NAME]
            )
        return None

    async def tell_aside(self, record: IncidentRecord) -> Narrative | None:
        """The same beside the event loop, one after the other: a model takes its time."""
        async with self._turn:
            return await asyncio.to_thread(self.tell, record)

    def failed(self, error: Exception) -> None:
        """Count and log an error by its kind and place: its message may quote what was said."""
        self.errors += 1
        self._log.error("narrator_failed", **whereabouts(error))
