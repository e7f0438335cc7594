"""Words read by a checkpoint, or by an encoder under a head of our own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from inference.evidence import Absent, Cue, Evidence
from inference.experts.huggingface.attribution import WordAttribution
from inference.experts.huggingface.classifier import Classifier
from inference.experts.huggingface.licence import card
from inference.experts.huggingface.network import open_preprocessor
from inference.experts.huggingface.opinion import Opinion, Reader
from inference.experts.huggingface.sidecar import Sidecar
from inference.experts.huggingface.source import Source
from inference.experts.recent import Recent
from inference.experts.text import (
    LOOK_BACK_NS,
    MOST_TEXTS,
    spoken_tokens,
    text_digest,
    text_quality,
)
from inference.experts.text_cues import phrase_cues, worth_explaining
from inference.experts.text_features import clean
from inference.experts.text_model import heard_share
from inference.labels import AbsenceReason, Emotion, Modality
from inference.window import TextSpan, WindowInput

MOST_TOKENS: Final = 512
"""Of a longer rolling text the newest are read; fewer where the network ends earlier."""
ANY_LANGUAGE: Final[frozenset[str]] = frozenset()
UNSTATED: Final = "und"
_MULTILINGUAL: Final = "multilingual"
_UNUSED_POSITIONS: Final = 2  # RoBERTa counts from two; elsewhere two tokens are no loss
_WORD: Final = re.compile(r"\w[\w']*")


@dataclass(frozen=True, slots=True)
class CheckpointTextExpert:
    """Reads the participant's final words of the window and the 15 s before it.

    One or two words are answers rather than verdicts and stay near the prior, as with the
    shipped expert (`heard_share`). A text that later windows hold unchanged is read once.

    Attributes:
        languages: first subtags of BCP 47 that it reads; none means any. Words in others
            are there and say nothing; `und` is taken for one of these.
        attribution: finds the words that moved it; None where nothing can, and then it has
            no cues.
    """

    reader: Reader[str]
    languages: frozenset[str] = ANY_LANGUAGE
    attribution: WordAttribution | None = None
    _opinions: Recent[Opinion] = field(
        default_factory=lambda: Recent(MOST_TEXTS), init=False, compare=False
    )
    _shares: Recent[NDArray[np.float64]] = field(
        default_factory=lambda: Recent(MOST_TEXTS), init=False, compare=False
    )

    @property
    def modality(self) -> Modality:
        """Text."""
        return Modality.TEXT

    @property
    def version(self) -> str:
        """Name and digest of the weights."""
        return self.reader.version

    @property
    def look_back_ns(self) -> int:
        """As far as the shipped expert."""
        return LOOK_BACK_NS

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        """Read each window by itself; see `inference.evidence.Expert`."""
        return [self._assess(window) for window in windows]

    def _assess(self, window: WindowInput) -> Evidence | Absent:
        said = [span for span in window.words if clean(span.text)]
        if not said:
            return Absent(Modality.TEXT, AbsenceReason.SILENCE)
        readable = [span for span in said if self._reads(span)]
        if not readable:
            return self._unread(window, said)
        text = " ".join(clean(span.text) for span in readable)
        opinion = self._opinions.once(text_digest(text), lambda: self.reader.read(text))
        opinion = opinion.drawn_to_prior(heard_share(different_words(text)))
        return Evidence(
            modality=Modality.TEXT,
            expert=self.version,
            labels=self.reader.labels,
            log_probs=opinion.log_probs,
            distress_log_odds=opinion.distress_log_odds,
            quality=(quality := text_quality(window, readable)),
            weight_limit=self.reader.weight_limit,
            cues=self._cues(opinion, readable) if quality.present_share else (),
        )

    def _cues(self, opinion: Opinion, readable: Sequence[TextSpan]) -> tuple[Cue, ...]:
        """As those of the shipped expert, by integrated gradients."""
        attribution = self.attribution
        if attribution is None:
            return ()
        tokens, owners = spoken_tokens(readable)

        def shares(label: Emotion | None) -> NDArray[np.float64]:
            key = text_digest(" ".join(tokens), label or "")
            return self._shares.once(key, lambda: attribution.shares(tokens, label))

        targets = worth_explaining(self.reader.labels, opinion.log_probs, opinion.distress_log_odds)
        return phrase_cues(targets, tokens, owners, shares)

    def _reads(self, span: TextSpan) -> bool:
        language = span.language.split("-", 1)[0].lower()
        return not self.languages or language in {*self.languages, UNSTATED}

    def _unread(self, window: WindowInput, said: Sequence[TextSpan]) -> Evidence:
        """Vacuous evidence: words are there, in a language that it does not read."""
        labels = self.reader.labels
        reason = f"words in another language: this expert reads {', '.join(sorted(self.languages))}"
        return Evidence(
            modality=Modality.TEXT,
            expert=self.version,
            labels=labels,
            log_probs=np.full(len(labels), -np.log(len(labels))),
            distress_log_odds=None,
            quality=text_quality(window, said),
            weight_limit=self.reader.weight_limit,
            cues=(Cue(modality=Modality.TEXT, cue=reason, kind=reason),),
        )


def open_text_classifier(source: Source, threads: int) -> CheckpointTextExpert:
    """A sequence classification checkpoint as an expert. Raises CheckpointError."""
    prepare = text_preparer(source)
    reader: Classifier[str] = Classifier.open(
        AutoModelForSequenceClassification, source, prepare, threads
    )
    attribution = None
    if prepare.tokenizer.is_fast:
        attribution = WordAttribution(
            reader.network, reader.label_map, prepare.tokenizer, prepare.most_tokens
        )
    return CheckpointTextExpert(reader, languages_of(source), attribution)


@dataclass(frozen=True, slots=True)
class TextPreparer:
    """From words to the tensors of a network."""

    tokenizer: Any
    most_tokens: int

    def __call__(self, text: str) -> dict[str, Any]:
        """Tensors by name; of a longer text the newest tokens."""
        return dict(
            self.tokenizer(text, return_tensors="pt", truncation=True, max_length=self.most_tokens)
        )


def text_preparer(source: Source) -> TextPreparer:
    """That of the network of `source`. Raises CheckpointError."""
    tokenizer = open_preprocessor(AutoTokenizer, source, truncation_side="left")
    most = min(MOST_TOKENS, tokenizer.model_max_length, _positions(source))
    return TextPreparer(tokenizer, most)


def _positions(source: Source) -> int:
    """How many tokens the network has places for. Raises CheckpointError."""
    config = open_preprocessor(AutoConfig, source)
    places = getattr(config, "max_position_embeddings", None)
    return MOST_TOKENS if places is None else int(places) - _UNUSED_POSITIONS


def languages_of(source: Source) -> frozenset[str]:
    """Languages that sidecar or model card name; none where they name none, or many."""
    stated = Sidecar.read(source.folder).languages or card(source.folder).get("language") or ()
    names = [stated] if isinstance(stated, str) else list(map(str, stated))
    languages = frozenset(name.split("-", 1)[0].lower() for name in names)
    return ANY_LANGUAGE if _MULTILINGUAL in languages else languages


def different_words(text: str) -> int:
    """How many different words `text` holds."""
    return len(set(_WORD.findall(text.lower())))
