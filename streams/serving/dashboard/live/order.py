"""In which order the live page shows calls: by need, and without jumping at every score. Pure.

Need is coarse and sticky: a call keeps its place until it has really changed, and the
order as a whole is settled anew only every few seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from inference.labels import Role
from inference.units import SECOND_NS
from streams.serving.dashboard.live.raised import Alert
from streams.serving.dashboard.live.rows import Conversation, Standing, smoothed_now
from streams.serving.dashboard.live.trend import rise

SETTLE_NS: Final = 4 * SECOND_NS
"""The order changes at most this often."""
STEPS: Final = 20
"""Need is told in steps of .05."""
STICKS: Final = 1.0
"""A call keeps its step until it is more than so many steps away from it."""
RAISED: Final = 0.5
"""From here on listeners would rather call it distress than not."""
CALMED: Final = 0.42
"""A raised call stays raised until it is below."""
STEEP: Final = 0.2
"""A rise by so much in two minutes raises a call whatever its level."""
DOUBT_NS: Final = 15 * SECOND_NS
"""Nothing sure for this long is something to look at; every talk has short gaps."""


class Group(IntEnum):
    """What a call needs, most first."""

    ALERT = 0
    RAISED = 1
    DOUBT = 2
    CALM = 3


@dataclass(frozen=True, slots=True)
class Need:
    """How much one call needs somebody."""

    group: Group
    level: float
    """Within the group, higher is more: standing distress and half of its rise."""
    severity: int = 0
    """Of the worst alert that waits."""


def need_of(call: Conversation, alerts: Iterable[Alert], before: Group, now_ns: int) -> Need:
    """What `call` needs, given the group it was in before."""
    level, steep = 0.0, False
    for standing in call.standings.values():
        stands, climb = smoothed_now(standing), rise(standing.trend) or 0.0
        if stands is not None:
            level = max(level, stands + max(0.0, climb) / 2)
            steep = steep or climb >= STEEP
    waiting = [one.rank for one in alerts if one.waits(now_ns)]
    highest = max((smoothed_now(one) or 0.0 for one in call.standings.values()), default=0.0)
    if waiting:
        return Need(Group.ALERT, level, max(waiting))
    if steep or highest >= (CALMED if before is Group.RAISED else RAISED):
        return Need(Group.RAISED, level)
    if any(_doubtful(standing) for standing in _heard(call)):
        return Need(Group.DOUBT, level)
    return Need(Group.CALM, level)


class Order:
    """The order of one board."""

    def __init__(self) -> None:
        self._steps: dict[str, float] = {}
        self._settled: tuple[str, ...] = ()
        self._settled_ns: int | None = None
        self.groups: dict[str, Group] = {}

    def settle(
        self, calls: Iterable[Conversation], alerts: Mapping[str, Sequence[Alert]], now_ns: int
    ) -> tuple[str, ...]:
        """Ids in order; those that came or went are taken in at once, the rest stays a while."""
        known = {call.id: call for call in calls}
        due = (
            not self._settled or self._settled_ns is None or now_ns - self._settled_ns >= SETTLE_NS
        )
        if not due:
            kept = tuple(name for name in self._settled if name in known)
            here = set(kept)
            self._settled = (*kept, *(name for name in known if name not in here))
            return self._settled
        needs = {
            name: need_of(call, alerts.get(name, ()), self.groups.get(name, Group.CALM), now_ns)
            for name, call in known.items()
        }
        self._steps = {name: self._step(name, need.level) for name, need in needs.items()}
        self.groups = {name: need.group for name, need in needs.items()}
        self._settled = tuple(
            sorted(
                known,
                key=lambda name: (
                    needs[name].group,
                    -needs[name].severity,
                    -self._steps[name],
                    known[name].started_ns,
                    name,
                ),
            )
        )
        self._settled_ns = now_ns
        return self._settled

    def _step(self, name: str, level: float) -> float:
        held, now = self._steps.get(name), level * STEPS
        return held if held is not None and abs(now - held) <= STICKS else round(now)


def _heard(call: Conversation) -> list[Standing]:
    """Those whose silence says something: an agent who listens is no doubt."""
    parties = list(call.standings.values())
    return [one for one in parties if one.role is Role.CUSTOMER] or parties


def _doubtful(standing: Standing) -> bool:
    latest, since_ns = standing.latest, standing.doubt_since_ns
    return latest is not None and since_ns is not None and latest.end_ns - since_ns >= DOUBT_NS
