"""Words to numbers: TF-IDF of words and characters, turns of phrase, and four VADER scores.

Shared by training and inference, so that both see the same features. The vectorisers are
rebuilt from a plain vocabulary: nothing is unpickled.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from inference.experts.text_phrases import Phrases, shipped_phrases

WORDS: Final = 20_000
CHARACTERS: Final = 30_000
SENTIMENT: Final = ("neg", "neu", "pos", "compound")

_WORD: Final = r"(?u)\b\w[\w']*"
"""Keeps "i" and "don't" whole."""
_PLACEHOLDER: Final = re.compile(r"\[(?:NAME|RELIGION)\]")
_PUNCTUATION: Final = re.compile(r"[^\w\s']")


def clean(text: str) -> str:
    """Drop GoEmotions' placeholders, straighten apostrophes, squeeze white space."""
    return " ".join(_PLACEHOLDER.sub(" ", text).replace("\u2019", "'").split())


def as_recognised(text: str) -> str:
    """The same words as most recognisers write them: lower case, no punctuation."""
    return " ".join(_PUNCTUATION.sub(" ", clean(text).lower()).split())


class TextFeatures:
    """A fixed map from text to one sparse row: words, characters, phrases, sentiment.

    Attributes:
        size: number of columns: word n-grams (1-2), then character n-grams within words
            (2-5), then one for each family of `phrases` (1 where the text holds one,
            however long it is), then the scores of `SENTIMENT`.
    """

    def __init__(self, words: TfidfVectorizer, characters: TfidfVectorizer) -> None:
        self.phrases = shipped_phrases()
        self._words = words
        self._characters = characters
        self._sentiment = SentimentIntensityAnalyzer()
        self._split = words.build_tokenizer()
        self._grams = characters.build_analyzer()
        self._first_phrase = len(words.vocabulary_) + len(characters.vocabulary_)
        self.size = self._first_phrase + len(self.phrases.families) + len(SENTIMENT)

    @classmethod
    def fit(cls, texts: Sequence[str], *, words: int = WORDS, characters: int = CHARACTERS) -> Self:
        """Choose the most frequent n-grams of `texts`."""
        chosen = _vectorisers(words=words, characters=characters)
        for vectoriser in chosen:
            vectoriser.fit([clean(text) for text in texts])
        return cls(*chosen)

    @classmethod
    def from_vocabulary(
        cls,
        vocabulary: tuple[Sequence[str], Sequence[str]],
        idf: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> Self:
        """Rebuild from n-grams and their inverse document frequencies, words then characters."""
        rebuilt = _vectorisers(words=None, characters=None)
        for vectoriser, terms, weights in zip(rebuilt, vocabulary, idf, strict=True):
            vectoriser.vocabulary = list(terms)
            vectoriser.idf_ = np.asarray(weights, dtype=np.float64)
        return cls(*rebuilt)

    @property
    def phrase_columns(self) -> slice:
        """Where the families of phrases stand."""
        return slice(self._first_phrase, self._first_phrase + len(self.phrases.families))

    @property
    def vocabulary(self) -> tuple[list[str], list[str]]:
        """N-grams in column order, words then characters."""
        words, characters = (
            sorted(part.vocabulary_, key=part.vocabulary_.__getitem__)
            for part in (self._words, self._characters)
        )
        return words, characters

    @property
    def idf(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Inverse document frequencies in column order, words then characters."""
        return self._words.idf_, self._characters.idf_

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Features of each text, (texts, size); a row depends on its own text only."""
        cleaned = [clean(text) for text in texts]
        moods = [self._sentiment.polarity_scores(text) for text in cleaned]
        sentiment = np.array([[mood[name] for name in SENTIMENT] for mood in moods])
        return sparse.hstack(
            [
                self._words.transform(cleaned),
                self._characters.transform(cleaned),
                _held(cleaned, self.phrases),
                sparse.csr_matrix(sentiment.reshape(len(cleaned), len(SENTIMENT))),
            ],
            format="csr",
        )

    def kinds(self, tokens: Sequence[str], weights: NDArray[np.float64]) -> dict[int, str]:
        """Kind of the phrase at each token, where a phrase there raised a linear score.

        Of several the one with the largest weight; phrases that lower the score are left out.

        Args:
            tokens: the cleaned text, split at white space.
            weights: (size,) of a linear head.
        """
        of_family = weights[self.phrase_columns]
        found = self.phrases.find(tokens)
        raising = sorted(
            (family for family in found if of_family[family] > 0), key=lambda one: of_family[one]
        )
        families = self.phrases.families
        return {place: families[family].kind for family in raising for place in found[family]}

    def known_words(self, text: str) -> int:
        """How many different words of the vocabulary occur in `text`."""
        return len(set(self._split(clean(text).lower())) & self._words.vocabulary_.keys())

    def attribute(self, tokens: Sequence[str], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Split a linear score among the tokens of a text.

        A feature's share, its value times its weight, is divided evenly among its
        occurrences; that of a pair of words among the two tokens, that of a family of phrases
        among all tokens of its phrases. The shares and the part of the sentiment scores sum
        to the linear score exactly.

        Args:
            tokens: the cleaned text, split at white space.
            weights: (size,) of a linear head.

        Returns:
            (tokens,) float64 share of each token.
        """
        row = self.transform([" ".join(tokens)])
        share = dict(
            zip(row.indices.tolist(), (row.data * weights[row.indices]).tolist(), strict=True)
        )
        owners: list[tuple[int, tuple[int, ...]]] = []  # (column, tokens that hold it)
        spoken = [
            (word, place)
            for place, token in enumerate(tokens)
            for word in self._split(token.lower())
        ]
        terms: list[tuple[str, tuple[int, ...]]] = [(word, (place,)) for word, place in spoken]
        terms += [
            (f"{first} {second}", (place, next_place))
            for (first, place), (second, next_place) in pairwise(spoken)
        ]
        owners += [
            (self._words.vocabulary_[term], places)
            for term, places in terms
            if term in self._words.vocabulary_
        ]
        offset = len(self._words.vocabulary_)
        owners += [
            (offset + self._characters.vocabulary_[gram], (place,))
            for place, token in enumerate(tokens)
            for gram in self._grams(token)
            if gram in self._characters.vocabulary_
        ]
        occurrences = Counter(column for column, _ in owners)
        shares = np.zeros(len(tokens))
        for column, places in owners:
            for place in places:
                shares[place] += share.get(column, 0.0) / occurrences[column] / len(places)
        for family, phrase in self.phrases.find(tokens).items():
            moved = share.get(self._first_phrase + family, 0.0)
            shares[sorted(phrase)] += moved / len(phrase)
        return shares


def _held(texts: Sequence[str], phrases: Phrases) -> sparse.csr_matrix:
    """(texts, families) 1 where a text holds a phrase of the family."""
    held = [
        (row, family) for row, text in enumerate(texts) for family in phrases.find(text.split())
    ]
    rows, families = np.array(held, dtype=np.intp).reshape(-1, 2).T
    shape = (len(texts), len(phrases.families))
    return sparse.csr_matrix((np.ones(len(held)), (rows, families)), shape=shape)


def _vectorisers(
    *, words: int | None, characters: int | None
) -> tuple[TfidfVectorizer, TfidfVectorizer]:
    return (
        TfidfVectorizer(
            ngram_range=(1, 2), token_pattern=_WORD, sublinear_tf=True, max_features=words
        ),
        TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, max_features=characters
        ),
    )
