"""What speech heads are made from: a corpus, somebody's own recordings, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from inference.errors import AffectstreamError
from inference.labels import Emotion
from inference.training.emodb import NoCorpusError, find_clips
from inference.training.own_speech import OwnRecordings, read_own
from inference.training.ravdess_speech import find_acted_clips
from inference.training.speech import EMODB, RESEARCH, Origin
from inference.training.speech_corpus import is_for_the_demo
from inference.training.utterance import Utterance

Recipe = Literal["default", "research"]
OWN_LICENCE: Final = "as the added recordings allow"


class NoMaterialError(AffectstreamError):
    """Options that name nothing to train on, or things that exclude each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Recordings, none of them of a speaker whom the demo plays, and what they are."""

    clips: tuple[Utterance, ...]
    origin: Origin


def gather(
    data: Path | None,
    own: Sequence[Path] = (),
    *,
    labels: Mapping[str, Emotion | None] | None = None,
    split: str | None = None,
    recipe: Recipe = "default",
) -> Material:
    """Find the corpora below `data` and read the manifests `own`.

    Args:
        data: folder with EmoDB; for `research` with RAVDESS too. None takes `own` alone.
        own: manifests of recordings that are added.
        labels: what their other names of labels mean; see `read_manifest`.
        split: which of their rows; None takes all.
        recipe: `research` may use what may not be sold.

    Raises:
        NoMaterialError: there is nothing, or nothing that the recipe needs.
        NoCorpusError: no EmoDB below `data`.
        ManifestError: a manifest cannot be used.
    """
    if data is None and not own:
        raise NoMaterialError(
            "no recordings: name the folder of a corpus, manifests of your own, or both"
        )
    if data is None and recipe == "research":
        raise NoMaterialError("the research recipe is EmoDB and RAVDESS: name --data")
    added = [read_own(manifest, labels or {}, split) for manifest in own]
    clips: list[Utterance] = []
    if data is not None:
        clips += [clip for clip in find_clips(data) if not is_for_the_demo(clip)]
    if data is not None and recipe == "research":
        acted = find_acted_clips(data)
        if not acted:
            raise NoCorpusError(
                f"{data}: no RAVDESS recording below it (names such as 03-01-05-01-02-01-12.wav); "
                "the research recipe needs it"
            )
        clips += acted
    clips += [clip for one in added for clip in one.clips]
    published = RESEARCH if recipe == "research" else EMODB
    return Material(clips=tuple(clips), origin=_with_own(published, added, alone=data is None))


def _with_own(published: Origin, added: Sequence[OwnRecordings], *, alone: bool) -> Origin:
    """Name, data and licence of weights that saw own recordings too."""
    if not added:
        return published
    manifests = "; ".join(one.about for one in added)
    if alone:
        return Origin(name="speech-own", data=manifests, licence=OWN_LICENCE)
    return replace(
        published,
        name=f"{published.name}-own",
        data=f"{published.data}; {manifests}",
        licence=f"{published.licence}; {OWN_LICENCE}",
    )
