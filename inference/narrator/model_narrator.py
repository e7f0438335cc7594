"""A narrator with a network: it writes, the check removes, the template stands in."""

from collections.abc import Sequence
from typing import Protocol

from inference.narrator.check import check
from inference.narrator.contract import Clause, Narrative
from inference.narrator.evidence_tokens import batched, tokenise
from inference.narrator.flamingo import Flamingo, greedy
from inference.narrator.incident import IncidentRecord
from inference.narrator.script import performed
from inference.narrator.template import TemplateNarrator, told


class Pieces(Protocol):
    """Text into the numbers of a decoder, and back."""

    begin: int
    finish: int

    def __len__(self) -> int:
        """How many pieces there are."""
        ...

    def encode(self, script: str) -> list[int]:
        """Pieces of a script, between `begin` and `finish`."""
        ...

    def pieces(self, text: str) -> list[int]:
        """Pieces of any text, alone."""
        ...

    def decode(self, pieces: list[int]) -> str:
        """The text of pieces."""
        ...


class ModelNarrator:
    """Greedy, so the same record is always told in the same words.

    Args:
        model: ready to be asked.
        pieces: of its decoder.
        longest: pieces of a text; what is longer is cut, and its last clause left out.
        version: name, version and digest.
    """

    def __init__(self, model: Flamingo, pieces: Pieces, longest: int, version: str) -> None:
        self._model = model
        self._pieces = pieces
        self._longest = longest
        self._version = version
        self._template = TemplateNarrator()

    @property
    def version(self) -> str:
        """As the weights say; a text of the template says that it is the template's."""
        return self._version

    def tell(self, record: IncidentRecord) -> Narrative:
        """What is left of the draft after the check; the template's text where that is little."""
        return self.settled(self.draft(record), record)

    def settled(self, draft: Sequence[Clause], record: IncidentRecord) -> Narrative:
        """The narrative that a reader sees instead of `draft`."""
        verdict = check(draft, record)
        if verdict.enough:
            return told(verdict.kept, self._version)
        stood_in = self._template.tell(record)
        return told(stood_in.clauses, stood_in.narrator, fell_back=True)

    def draft(self, record: IncidentRecord) -> tuple[Clause, ...]:
        """What the network wrote, unchecked; for evaluations."""
        rows = batched([tokenise(record, self._pieces.pieces)])
        (written,) = greedy(
            self._model,
            rows,
            begin=self._pieces.begin,
            finish=self._pieces.finish,
            most=self._longest,
        )
        return performed(self._pieces.decode(written), record)
