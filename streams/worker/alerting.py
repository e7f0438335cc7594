"""Alert rules on what was just scored: nothing that a rule does may cost a score."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

from storage.values import ParticipantBatch, ParticipantKey, Transition
from streams.alerts.book import RuleBook, RuleVersion
from streams.alerts.machine import StateError, advance, end
from streams.telemetry import logger
from streams.telling import Teller
from streams.worker.telling import told

_log = logger("worker")


class Rules(Protocol):
    """The rules as they are known now; `RuleReader` is one."""

    @property
    def book(self) -> RuleBook:
        """Of every tenant."""
        ...

    def knows(self, start_ns: int) -> bool:
        """Whether the book has every version that holds for a window starting there."""
        ...


class Alerting:
    """Adds transitions, and what the rules carry on, to batches of scores.

    A rule that raises is left out for that batch: whatever it had begun ends as if it were
    switched off. Where that does not help, the rules do not see these windows at all.

    Args:
        rules: by which windows are judged.
        teller: puts into words what fires; None leaves the words out.
    """

    def __init__(self, rules: Rules, teller: Teller | None = None) -> None:
        self.errors = 0
        """How often a rule raised, or what it had stored could not be read."""
        self.teller = teller
        self._rules = rules

    def knows(self, start_ns: int) -> bool:
        """Whether every rule is known that holds for a window starting at `start_ns`."""
        return self._rules.knows(start_ns)

    def __call__(self, batch: ParticipantBatch, *, left_ns: int | None = None) -> ParticipantBatch:
        """`batch` with its transitions; never raises.

        Args:
            batch: without any.
            left_ns: of a participant whose last windows these are: their rules come to rest.
        """
        seen = self._seen(batch)
        if self.teller is not None:
            seen = told(seen, self.teller)
        if left_ns is None:
            return seen
        steps = end_alerts(seen.progress.alerts, left_ns, seen.key)
        return replace(
            seen,
            transitions=(*seen.transitions, *steps),
            progress=replace(seen.progress, alerts=b""),
        )

    def _seen(self, batch: ParticipantBatch) -> ParticipantBatch:
        if not batch.scores:
            return batch
        try:
            return _advanced(batch, self._rules.book)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the scores must be stored
            self._failed(batch, exc)
        return self._rescued(batch)

    def _rescued(self, batch: ParticipantBatch) -> ParticipantBatch:
        book = self._rules.book
        if not _readable(batch, book):
            batch = replace(batch, progress=replace(batch.progress, alerts=b""))
        names = {
            rule.name
            for score in batch.scores
            for rule in book.in_force(score.tenant, score.start_ns)
        }
        sound = frozenset(name for name in names if _works(batch, book, name))
        try:
            return _advanced(batch, _only(book, sound))
        except Exception as exc:  # noqa: BLE001 - as above
            self._failed(batch, exc)
        return batch

    def _failed(self, batch: ParticipantBatch, error: Exception) -> None:
        self.errors += 1
        _log.error(
            "rules_failed",
            conversation=batch.key.conversation,
            participant=batch.key.participant,
            exc_info=error,
        )


def end_alerts(state: bytes, at_ns: int, key: ParticipantKey) -> Sequence[Transition]:
    """The last steps of a participant's rules; none where `state` cannot be read."""
    try:
        return end(state, at_ns, key)
    except StateError:
        _log.exception("rules_failed", conversation=key.conversation, participant=key.participant)
        return ()


@dataclass(frozen=True, slots=True)
class _Part:
    """A book in which only some rules stand."""

    book: RuleBook
    names: frozenset[str]

    def in_force(self, tenant: str, start_ns: int) -> tuple[RuleVersion, ...]:
        rules = self.book.in_force(tenant, start_ns)
        return tuple(rule for rule in rules if rule.name in self.names)


def _only(book: RuleBook, names: frozenset[str]) -> RuleBook:
    return cast("RuleBook", _Part(book, names))  # `in_force` is all that the machine asks


def _advanced(batch: ParticipantBatch, book: RuleBook) -> ParticipantBatch:
    transitions, state = advance(batch.scores, batch.progress.alerts, batch.conversation, book)
    return replace(batch, transitions=transitions, progress=replace(batch.progress, alerts=state))


def _readable(batch: ParticipantBatch, book: RuleBook) -> bool:
    try:
        _advanced(batch, _only(book, frozenset()))
    except StateError:
        return False
    except Exception:  # noqa: BLE001 - then it is not the state
        return True
    return True


def _works(batch: ParticipantBatch, book: RuleBook, name: str) -> bool:
    try:
        _advanced(batch, _only(book, frozenset({name})))
    except Exception:  # noqa: BLE001 - what it raises is not ours to know
        _log.exception("rule_left_out", rule=name, conversation=batch.key.conversation)
        return False
    return True
