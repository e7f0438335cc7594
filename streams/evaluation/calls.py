"""Built calls through the decoding, windows and models of the service, without a broker."""

import json
import wave
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from inference.evaluation.built_calls import VOICES, BuiltCall
from inference.evaluation.calls import Condition, HeardCall
from inference.experts.line import Line
from inference.labels import Modality
from inference.score import WindowScore
from inference.units import SECOND_NS
from inference.window import SPEECH_RATE_HZ
from streams.demo.telephone import over_telephone
from streams.ingest.parties import Naming
from streams.ingest.publisher import PublishStats, permitted
from streams.ingest.source import FileSource, SourceOptions, records
from streams.offline import scores
from streams.policy import ConversationGate
from streams.scoring import WindowScorer
from streams.windows.aligner import Aligner

START_NS: Final = 1_000_000 * SECOND_NS
"""On a whole second, so that windows are cut at the same places every time."""
LANGUAGE: Final = "en"


CONDITIONS: Final = (
    *(Condition(line, (Modality.SPEECH,)) for line in Line),
    *(Condition(line, (Modality.SPEECH, Modality.TEXT)) for line in Line),
    Condition(Line.WIDEBAND, (Modality.TEXT,)),
)
"""The first is the headline: voice alone. Words are the same over any line."""


@dataclass(frozen=True, slots=True)
class Service:
    """What scores calls. Aligners and gates are made anew for each."""

    scorer: WindowScorer
    new_aligner: Callable[[], Aligner]
    new_gate: Callable[[str], ConversationGate]


def hear_calls(
    calls: Iterable[BuiltCall],
    service: Service,
    folder: Path,
    conditions: Sequence[Condition] = CONDITIONS,
) -> dict[Condition, list[HeardCall]]:
    """Score every call in every condition.

    Args:
        calls: to be scored.
        service: what scores them.
        folder: for the files of one call at a time.
        conditions: lines and modalities.
    """
    heard: dict[Condition, list[HeardCall]] = {condition: [] for condition in conditions}
    for call in calls:
        media = {Line.WIDEBAND: folder / "wideband.wav", Line.TELEPHONE: folder / "telephone.wav"}
        write_sound(call, media[Line.WIDEBAND])
        over_telephone(media[Line.WIDEBAND], media[Line.TELEPHONE])
        write_words(call, words := folder / "words.jsonl")
        for condition in conditions:
            source = _source(call, media[Line(condition.line)], words, condition.modalities)
            heard[condition].append(HeardCall(call, _scored(source, service), START_NS))
    return heard


def write_sound(call: BuiltCall, path: Path) -> None:
    """WAV of 16 bits, agent and customer in a channel each."""
    pcm = np.round(np.clip(call.sound.T, -1.0, 1.0) * 32_767).astype("<i2")  # (samples, 2)
    with wave.open(str(path), "wb") as file:
        file.setparams((len(call.sound), 2, SPEECH_RATE_HZ, len(pcm), "NONE", ""))
        file.writeframes(pcm.tobytes())


def write_words(call: BuiltCall, path: Path) -> None:
    """A segment a turn, known when the turn is over."""
    segments = (
        {
            "start": turn.start_ns / SECOND_NS,
            "end": turn.end_ns / SECOND_NS,
            "text": turn.text,
            "speaker": turn.role.value,
        }
        for turn in call.turns
    )
    path.write_text("".join(f"{json.dumps(segment)}\n" for segment in segments), encoding="utf-8")


def _source(
    call: BuiltCall, media: Path, words: Path, modalities: Sequence[Modality]
) -> FileSource:
    """The file with the tracks of these modalities only; the others are not declared."""
    options = SourceOptions(
        conversation=call.name,
        start_ns=START_NS,
        transcript=words,
        naming=Naming(channels=tuple(VOICES)),
        language=LANGUAGE,
    )
    source = FileSource.open(media, options, now_ns=START_NS, warn=_ignore)
    parties = tuple(
        replace(
            party,
            sound=party.sound if Modality.SPEECH in modalities else None,
            words=party.words if Modality.TEXT in modalities else None,
        )
        for party in source.parties
    )
    return replace(source, parties=parties)


def _scored(source: FileSource, service: Service) -> tuple[WindowScore, ...]:
    timed = permitted(
        records(source, _ignore), service.new_gate(source.options.tenant), PublishStats()
    )
    found = scores((one.record for one in timed), service.new_aligner(), service.scorer)
    return tuple(found)


def _ignore(_: str) -> None:
    """Nothing is odd about these files."""
