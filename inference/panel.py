"""Which experts judge: those of a profile, or the models that somebody chose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from inference.errors import AffectstreamError
from inference.evidence import Expert
from inference.experts.face import FaceExpert
from inference.experts.huggingface.licence import RESEARCH, admit_trained
from inference.experts.huggingface.source import CONFIG, HEAD, CheckpointError, Source, locate
from inference.experts.read_once import ReadOnce
from inference.experts.speech import SpeechExpert
from inference.experts.text import TextExpert
from inference.experts.voice_encoders import Device
from inference.experts.word_vectors import WordVectors
from inference.labels import MODALITIES, Modality

DEFAULT: Final = "default"
PROFILES: Final = (DEFAULT, RESEARCH)
SHIPPED: Final = "shipped"
"""Names the expert that comes with the program, where a profile would take another."""
TRAINED_HERE: Final = {
    (RESEARCH, Modality.SPEECH): "affectstream train speech --profile research",
    (RESEARCH, Modality.FACE): "affectstream train face",
}
"""Profiles whose own weights of a modality are trained by their user, since their data forbids to
ship them; and the command that does."""


class UnknownProfileError(AffectstreamError):
    """A profile that there is none of."""


class MissingWeightsError(AffectstreamError):
    """Weights that the profile asks for and that nobody trained here yet."""


class NoSentenceVectorsError(AffectstreamError):
    """Sentence vectors were asked for beside a text expert that cannot use them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to judge.

    Attributes:
        profile: `default` or `research`; only the second allows weights without commercial
            use.
        models_dir: where optional, fetched and research weights lie.
        threads: of each model; equal scores are promised for equal numbers only.
        device: of the voice encoder.
        text_plus: whether words are read with sentence vectors too: by the shipped expert,
            or by what `affectstream train text --plus` wrote.
        features: whether experts describe what they read to learned methods.
        models: who reads a modality: a folder, `owner/name@revision` or `shipped`; empty or
            missing is the profile's own.
    """

    profile: str
    models_dir: Path
    threads: int = 1
    device: Device = "cpu"
    text_plus: bool = False
    features: bool = False
    models: Mapping[Modality, str] = field(default_factory=dict)

    def named(self, modality: Modality) -> str:
        """What was chosen for `modality`."""
        return self.models.get(modality, "")

    def takes_shipped(self, modality: Modality) -> bool:
        """Whether the expert that comes with the program judges `modality`."""
        trained_here = (self.profile, modality) in TRAINED_HERE
        return self.named(modality) == SHIPPED or not (self.named(modality) or trained_here)

    def is_what_fusion_knows(self, modality: Modality) -> bool:
        """Whether who judges `modality` is who the shipped calibration of fusion was made with."""
        vectors = modality is Modality.TEXT and self.text_plus
        return self.takes_shipped(modality) and not vectors


def load_experts(choice: Choice) -> list[Expert]:
    """Load one expert for each modality; takes seconds.

    `default` has the shipped ones. `research` has, for speech and face, the weights that
    were trained on this machine into `models_dir/research/MODALITY`. Where these are missing
    it is an error: whoever asks for other weights by name must not get scores of the default
    ones, and two workers of a group not different ones. `shipped` asks for the default ones.

    Raises:
        UnknownProfileError: the profile has another name.
        MissingWeightsError: the profile's own weights were not trained yet.
        NoSentenceVectorsError: `text_plus` beside a checkpoint.
        LicenceError: a licence that the profile does not allow.
        AffectstreamError: weights are missing or damaged.
    """
    return [load_expert(choice, modality) for modality in MODALITIES]


def load_expert(choice: Choice, modality: Modality) -> Expert:
    """Load the expert of one modality; raises as `load_experts`."""
    if choice.profile not in PROFILES:
        raise UnknownProfileError(
            f"profile {choice.profile!r}: there are {', '.join(map(repr, PROFILES))}"
        )
    source = _source(choice, modality)
    if source is not None and _is_of_transformers(source):
        if choice.text_plus and modality is Modality.TEXT:
            raise NoSentenceVectorsError(
                f"{source.name}: text_plus adds sentence vectors to words that "
                "`affectstream train text` reads, not to a checkpoint: turn text_plus off, or take "
                "another text_model"
            )
        return _of_transformers(choice, modality, source)
    if source is not None:
        admit_trained(source.name, str(_config(source).get("licence", "")), choice.profile)
    folder = None if source is None else source.folder
    if modality is Modality.SPEECH:
        return ReadOnce(SpeechExpert.load(choice.threads, folder, choice.device))
    if modality is Modality.TEXT:
        vectors = WordVectors.load() if choice.features else None
        if choice.text_plus:
            return TextExpert.load_plus(choice.models_dir, choice.threads, folder, vectors)
        return TextExpert.load(folder, vectors)
    return FaceExpert.load(choice.models_dir, folder)


def _source(choice: Choice, modality: Modality) -> Source | None:
    """Where the weights of `modality` lie; None for those that are shipped."""
    if choice.takes_shipped(modality):
        return None
    if named := choice.named(modality):
        return locate(named, choice.models_dir)
    folder = choice.models_dir / RESEARCH / modality
    if not folder.is_dir():
        raise MissingWeightsError(
            f"profile {choice.profile!r}: no {modality} weights in {folder}; make them with "
            f"`{TRAINED_HERE[choice.profile, modality]} … --out {folder}`, or take the default "
            f'ones with {modality}_model = "{SHIPPED}"'
        )
    return Source(str(folder), f"{RESEARCH}/{modality}", folder)


def _is_of_transformers(source: Source) -> bool:
    """Whether transformers saved it, or it is a head on what transformers saved."""
    if (source.folder / HEAD).is_file():
        return True
    return "model_type" in _config(source)


def _of_transformers(choice: Choice, modality: Modality, source: Source) -> Expert:
    # takes seconds to import: only for those who chose a model of it
    from inference.experts.huggingface.opening import open_expert  # noqa: PLC0415

    expert = open_expert(modality, source, choice.profile, choice.models_dir, choice.threads)
    return ReadOnce(expert) if modality is Modality.SPEECH else expert


def _config(source: Source) -> dict[str, Any]:
    path = source.folder / CONFIG
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as exc:
        raise CheckpointError(
            f"{path}: {exc}; a folder of weights has one, as transformers or "
            "`affectstream train` writes it"
        ) from exc
