"""What a model wrote against the record it wrote about; what is not borne out goes."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from inference.narrator.contract import Clause
from inference.narrator.incident import IncidentRecord
from inference.narrator.language import read
from inference.narrator.statement import Claim
from inference.narrator.support import supported

FEWEST: Final = 2
"""Of supported clauses, that are still a narrative."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Clauses in their order: those that stay, the untrue, and those that say a thing again."""

    kept: tuple[Clause, ...]
    untrue: tuple[Clause, ...]
    repeated: tuple[Clause, ...]

    @property
    def enough(self) -> bool:
        """Whether something worth reading is left."""
        return len(self.kept) >= FEWEST


def check(clauses: Iterable[Clause], record: IncidentRecord) -> Verdict:
    """Keep each clause that can be read and that its own citations bear out, once.

    A clause that is no sentence of `inference.narrator.language` is removed, whatever it
    says: what cannot be read cannot be verified. Record and clauses are data: nothing in them
    changes what is looked up.
    """
    kept: list[Clause] = []
    untrue: list[Clause] = []
    repeated: list[Clause] = []
    said: set[Claim] = set()
    opens = True
    for clause in clauses:
        opens |= clause.opens
        statement = read(clause.text)
        if statement is None or not supported(statement, clause.evidence, record):
            untrue.append(clause)
        elif statement.claim in said:
            repeated.append(clause)
        else:
            said.add(statement.claim)
            kept.append(replace(clause, opens=opens))
            opens = False
    return Verdict(tuple(kept), tuple(untrue), tuple(repeated))
