"""Policy for tests that are about something else."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from inference.labels import Modality
from storage.errors import StoreUnavailableError
from storage.values import ConsentChange, ConversationKey, PolicyNews, Ruling
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


@dataclass
class FakePolicy:
    """Records of policy; outages and erased conversations on demand."""

    recorded: list[PolicyNews] = field(default_factory=list)
    erased: set[ConversationKey] = field(default_factory=set)
    outages: int = 0

    async def record(self, news: PolicyNews) -> Sequence[Ruling] | None:
        if self.outages:
            self.outages -= 1
            raise StoreUnavailableError("connection refused")
        if news.key in self.erased:
            return None
        self.recorded.append(news)
        return news.rulings
