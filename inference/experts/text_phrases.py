"""Turns of phrase of service calls, found by rule: "third time I am calling", "not a problem".

Written comments hardly hold them, so counts of words cannot learn what they mean. A family of
such turns is one feature: what it weighs is learned, what belongs to it stands in
`text_phrases.toml`.
"""

import hashlib
import re
import tomllib
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Final

import msgspec

CALM: Final = "calm phrase"
"""The kind of families that speak against distress."""
DATA: Final = Path(__file__).with_name("text_phrases.toml")

_WORD: Final = re.compile(r"[\w']+")
_FULL: Final = {
    "can't": "can not",
    "cannot": "can not",
    "won't": "will not",
    "shan't": "shall not",
    "let's": "let us",
    "noone": "no one",
    "cancelled": "canceled",
}
_CONTRACTIONS: Final = (
    ("n't", " not"),
    ("'m", " am"),
    ("'ve", " have"),
    ("'re", " are"),
    ("'ll", " will"),
    ("'d", " would"),
    ("'s", " is"),
)
_WITHOUT_MARK: Final = {
    "im": "i am",
    "ive": "i have",
    "dont": "do not",
    "doesnt": "does not",
    "didnt": "did not",
    "isnt": "is not",
    "wasnt": "was not",
    "havent": "have not",
    "hasnt": "has not",
    "couldnt": "could not",
    "cant": "can not",
    "wont": "will not",
    "thats": "that is",
    "youve": "you have",
}
"""How some recognisers spell contractions."""


class Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Turns of phrase that count as one feature.

    Attributes:
        kind: what a cue calls them where words may not be quoted.
        turns: regular expressions over the words of `spell_out`, parts in capitals.
    """

    name: str
    kind: str
    turns: tuple[str, ...]


class Phrases:
    """Families of phrases, ready to look for.

    Attributes:
        families: in the order of their features.
        digest: of every pattern. Weights fit only those that they were trained with.
    """

    def __init__(self, families: Sequence[Family], parts: dict[str, str]) -> None:
        self.families = tuple(families)
        self._patterns = tuple(_compile(family, parts) for family in families)
        everything = "\n".join(one.pattern for one in self._patterns)
        self.digest = hashlib.sha256(everything.encode()).hexdigest()[:8]

    def find(self, tokens: Sequence[str]) -> dict[int, frozenset[int]]:
        """Places of the tokens that belong to a family's turns, by the family's place.

        Args:
            tokens: a text, split at white space.
        """
        words = spell_out(tokens)
        text = " ".join(word for word, _ in words)
        begins = list(accumulate((len(word) + 1 for word, _ in words), initial=0))[:-1]
        found: dict[int, frozenset[int]] = {}
        for family, pattern in enumerate(self._patterns):
            places = frozenset(
                words[word][1]
                for match in pattern.finditer(text)
                for word in range(
                    bisect_left(begins, match.start()), bisect_left(begins, match.end())
                )
            )
            if places:
                found[family] = places
        return found


@cache
def shipped_phrases() -> Phrases:
    """The families of `text_phrases.toml`."""
    content = tomllib.loads(DATA.read_text(encoding="utf-8"))
    return Phrases(msgspec.convert(content["families"], tuple[Family, ...]), content["parts"])


def _compile(family: Family, parts: dict[str, str]) -> re.Pattern[str]:
    turns = "|".join(family.turns)
    for name, part in parts.items():
        turns = turns.replace(name, part)
    return re.compile(rf"(?<!\w)(?:{turns})(?!\w)")


def spell_out(tokens: Sequence[str]) -> list[tuple[str, int]]:
    """The words of `tokens` without contractions, each with the place of its token.

    "I've" becomes "i", "have", as does "ive", which some recognisers write.
    """
    return [
        (part, place)
        for place, token in enumerate(tokens)
        for word in _WORD.findall(token.lower())
        for part in _full(word.strip("'")).split()
    ]


def _full(word: str) -> str:
    if word in _FULL:
        return _FULL[word]
    if word in _WITHOUT_MARK:
        return _WITHOUT_MARK[word]
    for ending, full in _CONTRACTIONS:
        if word.endswith(ending) and len(word) > len(ending):
            return word.removesuffix(ending) + full
    return word
