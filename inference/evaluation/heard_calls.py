"""Built calls as the scorer hears them, each voice by heads that were fitted without it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from inference.evaluation.built_calls import BuiltCall, build_wandering_call
from inference.evaluation.calls import HeardCall
from inference.evaluation.item_windows import sound_windows
from inference.experts.speech import SpeechExpert
from inference.fusion.artefact import Fusers
from inference.labels import AbsenceReason, Modality, Role
from inference.score import WindowScore
from inference.scorer import Scorer
from inference.training.context import KnownCall
from inference.training.degrade import telephone
from inference.training.emodb import HELD_OUT_SPEAKERS, Clip
from inference.training.speech_corpus import EmbeddedClips
from inference.training.speech_folds import fit_distress_folds, fit_folds
from inference.window import WindowInput

NOBODY: Final = frozenset({Modality.TEXT, Modality.FACE})
"""Absent from every call here: voices alone are real."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears which EmoDB speaker.

    Attributes:
        shipped: never heard those who are held out.
        by_speaker: heads of the same recipe that never heard this speaker.
    """

    shipped: SpeechExpert
    by_speaker: Mapping[str, SpeechExpert]

    @classmethod
    def fit(cls, corpus: EmbeddedClips, shipped: SpeechExpert) -> "Listeners":
        """Heads for every speaker of `corpus`, which holds none that is held out."""
        emotion = fit_folds(corpus, corpus.emotions, shipped.head.config.labels)
        distress = fit_distress_folds(corpus)
        found: dict[str, SpeechExpert] = {}
        for one, other in zip(emotion, distress, strict=True):
            head = replace(shipped.head, emotion=one.head, distress=other.head)
            for speaker in np.unique(corpus.speakers[one.held_out]).tolist():
                found[speaker] = replace(shipped, head=head)
        return cls(shipped, found)

    def of(self, speaker: str) -> SpeechExpert:
        """The one to whom `speaker` is a stranger. Raises KeyError for somebody unknown."""
        return self.shipped if speaker in HELD_OUT_SPEAKERS else self.by_speaker[speaker]


def pairs_of(speakers: Sequence[str], count: int) -> Iterator[dict[Role, str]]:
    """`count` casts: every speaker is the customer in turn, of an agent who changes each round."""
    for number in range(count):
        turn, customer = divmod(number, len(speakers))
        agent = (customer + 1 + turn % (len(speakers) - 1)) % len(speakers)
        yield {Role.AGENT: speakers[agent], Role.CUSTOMER: speakers[customer]}


def wandering_calls(
    clips: Sequence[Clip], speakers: Sequence[str], *, count: int, seed: int
) -> Iterator[tuple[BuiltCall, dict[Role, str]]]:
    """Calls without a plan of at least two speakers, with who plays whom.

    Each depends on `seed`, its number and the speakers.
    """
    for number, voices in enumerate(pairs_of(speakers, count)):
        random = np.random.default_rng([seed, number])
        yield build_wandering_call(clips, voices, f"wandering-{number:03}", random), voices


def hear_call(
    call: BuiltCall,
    voices: Mapping[Role, str],
    listeners: Listeners,
    *,
    over_telephone: bool = False,
) -> HeardCall:
    """Final scores of both parties, in order of (end, participant), from voices alone.

    Windows of 3 s that start every second; fused by the shipped late fusion.

    Args:
        call: to be scored.
        voices: who plays whom, in the order of the channels.
        listeners: who hears them.
        over_telephone: whether both channels went through a telephone.
    """
    scores: list[WindowScore] = []
    for channel, (role, speaker) in enumerate(voices.items()):
        samples = telephone(call.sound[channel]) if over_telephone else call.sound[channel]
        scorer = Scorer([listeners.of(speaker)], fusers=Fusers.load())
        scored = scorer.score([_of_party(one, call, role) for one in sound_windows(samples)], {})
        scores += scored.scores
    ordered = sorted(scores, key=lambda score: (score.end_ns, score.participant))
    return HeardCall(call, tuple(ordered), 0)


def known(heard: HeardCall) -> KnownCall:
    """What training reads of a call."""
    truths = (
        heard.call.spoken(score.role, score.start_ns - heard.zero_ns, score.end_ns - heard.zero_ns)
        for score in heard.scores
    )
    return KnownCall(heard.scores, tuple(truths))


def _of_party(window: WindowInput, call: BuiltCall, role: Role) -> WindowInput:
    return replace(
        window,
        conversation=call.name,
        participant=role.value,
        role=role,
        absent=dict.fromkeys(NOBODY, AbsenceReason.NO_TRACK),
    )
