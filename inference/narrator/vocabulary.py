"""The small decoder's own pieces of text: byte-level pairs that may span words.

Sources: Sennrich et al. 2016 (byte-pair encoding); Liu et al. 2025 (pieces across words), which
here halves what the decoder has to write.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from inference.narrator.script import MARKS, NEXT, PLACES, STOP
from inference.networks.folder import WeightsError

PAD, BEGIN, FINISH = "[pad]", "[begin]", "[finish]"
SPECIAL: Final = (PAD, BEGIN, FINISH, NEXT, STOP, *MARKS, *PLACES)
LONGEST_PIECE: Final = 24
"""Bytes: two or three words."""


def stands_for(size: int) -> list[int]:
    """Of each of `size` pieces the token of evidence it stands for, -1 for most.

    `begin` stands for the record itself, which comes first; places follow in their order.
    """
    tokens = {name: token for token, name in enumerate((BEGIN, *PLACES))}
    return [tokens.get(name, -1) for name in SPECIAL] + [-1] * (size - len(SPECIAL))


class Vocabulary:
    """Scripts into numbers and back."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.begin: int = SPECIAL.index(BEGIN)
        self.finish: int = SPECIAL.index(FINISH)

    @classmethod
    def fit(cls, scripts: Iterator[str], size: int) -> Self:
        """Pieces of at most `size` kinds, the commonest of `scripts`."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.decoder = decoders.ByteLevel()
        special = [AddedToken(name, normalized=False) for name in SPECIAL]
        tokenizer.add_special_tokens(special)
        tokenizer.train_from_iterator(
            scripts,
            trainers.BpeTrainer(
                vocab_size=size,
                special_tokens=special,
                initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                max_token_length=LONGEST_PIECE,
                show_progress=False,
            ),
        )
        return cls(tokenizer)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote. Raises WeightsError."""
        try:
            return cls(Tokenizer.from_file(str(path)))
        except Exception as exc:  # the library raises nothing narrower
            raise WeightsError(f"{path}: no usable vocabulary ({exc})") from exc

    def save(self, path: Path) -> None:
        """Write it as the `tokenizers` library does."""
        self._tokenizer.save(str(path))

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, script: str) -> list[int]:
        """Pieces of a script, between `begin` and `finish`."""
        return [self.begin, *self.pieces(script), self.finish]

    def pieces(self, text: str) -> list[int]:
        """Pieces of any text."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, pieces: Sequence[int]) -> str:
        """Inverse of `pieces`, marks and places included."""
        return str(self._tokenizer.decode(list(pieces), skip_special_tokens=False))
