"""The reader of words: a rolling text of window and look-back, in English."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from inference.evidence import MOST_TOKENS as MOST_LINES
from inference.evidence import Absent, Cue, Evidence, Features, Quality
from inference.experts.recent import Recent, digest
from inference.experts.text_cues import phrase_cues, worth_explaining
from inference.experts.text_features import TextFeatures, clean
from inference.experts.text_model import Reading, TextModel
from inference.experts.text_plus import TextPlus
from inference.experts.word_vectors import SPACE, WordVectors
from inference.labels import EMOTIONS, AbsenceReason, Emotion, Modality
from inference.units import SECOND_NS
from inference.window import TextSpan, WindowInput

WEIGHTS: Final = Path(__file__).parents[1] / "weights" / "text"
LOOK_BACK_NS: Final = 15 * SECOND_NS
LANGUAGES: Final = frozenset({"en", "und"})
"""Languages the expert reads; `und` is taken for English."""
MOST_TEXTS: Final = 512
"""Who listens says nothing new: the windows of the next 15 s hold the same words, and find what
was made of them. Kept are numbers and digests, no words."""
MOST_TOKENS: Final = 400
"""Of a longer rolling text only the newest words are read: nobody says more in 18 s."""


class TextReader(Protocol):
    """Words alone, or words and sentence vectors."""

    @property
    def version(self) -> str:
        """Name and fingerprint of the weights."""
        ...

    @property
    def features(self) -> TextFeatures:
        """What the phrases of a text are found with."""
        ...

    def read(self, text: str) -> Reading:
        """Score one text by itself."""
        ...

    def reasons(self, text: str, label: Emotion | None) -> NDArray[np.float64]:
        """(tokens,) how far each token moved `label`, None: distress."""
        ...

    def weights_of(self, label: Emotion | None) -> NDArray[np.float64]:
        """(features,) behind `reasons`."""
        ...


class TextExpert:
    """Scores the participant's final words of the window and the 15 s before it."""

    modality: Final = Modality.TEXT
    look_back_ns: Final = LOOK_BACK_NS

    def __init__(
        self,
        model: TextReader,
        name: str = "TF-IDF, VADER and logistic regression on GoEmotions",
        vectors: WordVectors | None = None,
    ) -> None:
        self._model = model
        self._name = name
        self._vectors = vectors
        self._readings: Recent[Reading] = Recent(MOST_TEXTS)
        self._reasons: Recent[np.ndarray] = Recent(MOST_TEXTS)

    @classmethod
    def load(cls, folder: Path | None = None, vectors: WordVectors | None = None) -> Self:
        """Read the weights of `folder`, by default the shipped ones.

        Args:
            folder: of the weights.
            vectors: describe what was said to methods that ask for it; None describes nothing.

        Raises:
            TextWeightsError: the folder does not hold them.
        """
        return cls(TextModel.load(folder or WEIGHTS), vectors=vectors)

    @classmethod
    def load_plus(
        cls,
        models_dir: Path,
        threads: int = 1,
        folder: Path | None = None,
        vectors: WordVectors | None = None,
    ) -> Self:
        """The same, averaged with sentence vectors: eight times slower.

        Args:
            models_dir: where `affectstream models fetch sentence_encoder` put the encoder.
            threads: of torch in this process.
            folder: of the weights.
            vectors: as in `load`.

        Raises:
            BundleError: the encoder is not there.
            TextWeightsError: `folder` does not hold heads on sentence vectors.
        """
        # here, because torch takes seconds and only this optional reader needs it
        from inference.experts.text_encoder import SentenceEncoder  # noqa: PLC0415

        encoder = SentenceEncoder.load(models_dir, threads)
        return cls(
            TextPlus.load(folder or WEIGHTS, encoder),
            "TF-IDF and VADER, averaged with MiniLM, which no cue explains",
            vectors,
        )

    @property
    def version(self) -> str:
        """Name and fingerprint of the weights."""
        return self._model.version

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        """Read each window by itself, in order."""
        return [self._assess(window) for window in windows]

    def _assess(self, window: WindowInput) -> Evidence | Absent:
        said = [span for span in window.words if clean(span.text)]
        if not said:
            return Absent(Modality.TEXT, AbsenceReason.SILENCE)
        readable = [span for span in said if _language(span) in LANGUAGES]
        if not readable:
            return self._unread(window, said)
        tokens, owners = spoken_tokens(readable)
        text = " ".join(tokens)
        reading = self._readings.once(text_digest(text), lambda: self._model.read(text))
        quality = text_quality(window, readable)
        # words that all lie before the window weigh nothing, so they are no reason either
        cues = self._cues(reading, tokens, owners) if quality.present_share else ()
        return Evidence(
            modality=Modality.TEXT,
            expert=self._name,
            labels=EMOTIONS,
            log_probs=reading.log_probs,
            distress_log_odds=reading.distress_log_odds,
            quality=quality,
            cues=cues,
            features=self._described(text, readable),
        )

    def _described(self, text: str, spans: Sequence[TextSpan]) -> Features | None:
        """The rolling text, and each line of it; None where no word of it has a place."""
        if self._vectors is None:
            return None
        vector = self._vectors.vector(text)
        if not vector.any():
            return None
        lines = [self._vectors.vector(span.text) for span in spans[-MOST_LINES:]]
        return Features(space=SPACE, vector=vector, tokens=np.stack(lines))

    def _unread(self, window: WindowInput, said: Sequence[TextSpan]) -> Evidence:
        """Vacuous evidence: words are there, in a language without training data."""
        reason = "words in another language: this expert reads English"
        return Evidence(
            modality=Modality.TEXT,
            expert="none for this language",
            labels=EMOTIONS,
            log_probs=np.full(len(EMOTIONS), -np.log(len(EMOTIONS))),
            distress_log_odds=None,
            quality=text_quality(window, said),
            cues=(Cue(modality=Modality.TEXT, cue=reason, kind=reason),),
        )

    def _cues(
        self, reading: Reading, tokens: Sequence[str], owners: Sequence[TextSpan]
    ) -> tuple[Cue, ...]:
        """The phrases that moved the strongest label and distress most, at most three."""
        features, text = self._model.features, " ".join(tokens)
        return phrase_cues(
            worth_explaining(EMOTIONS, reading.log_probs, reading.distress_log_odds),
            tokens,
            owners,
            lambda label: self._shares(text, label),
            lambda label: features.kinds(tokens, self._model.weights_of(label)),
        )

    def _shares(self, text: str, label: Emotion | None) -> np.ndarray:
        key = text_digest(text, label or "")
        return self._reasons.once(key, lambda: self._model.reasons(text, label))


def text_digest(*texts: str) -> bytes:
    """Digest of the UTF-8, also of halves of a pair that a recogniser let through."""
    return digest(*(text.encode(errors="surrogatepass") for text in texts))


def _language(span: TextSpan) -> str:
    return span.language.split("-", 1)[0].lower()


def spoken_tokens(spans: Sequence[TextSpan]) -> tuple[list[str], list[TextSpan]]:
    """The newest tokens of the rolling text, each with the span it was said in."""
    pairs = [(token, span) for span in spans for token in clean(span.text).split()]
    newest = pairs[-MOST_TOKENS:]
    return [token for token, _ in newest], [span for _, span in newest]


def text_quality(window: WindowInput, spans: Sequence[TextSpan]) -> Quality:
    """How much of the window the words cover, how recent they are, how sure the recogniser was.

    Args:
        window: that is scored.
        spans: words that are read, at least one, of the window or its look-back.
    """
    length = window.end_ns - window.start_ns
    covered = sum(
        max(0, min(span.end_ns, window.end_ns) - max(span.start_ns, window.start_ns))
        for span in spans
    )
    age = window.end_ns - max(span.end_ns for span in spans)
    stated = [span.confidence for span in spans if span.confidence is not None]
    return Quality(
        present_share=min(1.0, covered / length),
        freshness=min(1.0, max(0.0, 1 - age / length)),
        confidence=sum(stated) / len(stated) if stated else None,
    )
