"""Whether weights may be loaded: what their licence says, and what the profile allows."""

import re
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # comes with transformers
from huggingface_hub import metadata_load

from inference.errors import AffectstreamError
from inference.experts.huggingface.sidecar import Sidecar
from inference.experts.huggingface.source import CARD, SIDECAR

RESEARCH: Final = "research"
"""The profile that allows weights without commercial use."""
COMMERCIAL: Final = frozenset(
    {
        "afl-3.0", "apache-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "cc-by-2.0", "cc-by-2.5",
        "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "isc", "mit", "pddl",
        "unlicense", "zlib",
    }
)  # fmt: skip
"""Licences that permit commercial use without asking, in the hub's spelling."""
_NON_COMMERCIAL: Final = re.compile(r"\b(nc|non-?commercial|research|academic)\b")


class LicenceError(AffectstreamError):
    """Weights that this profile may not load."""


def admit_trained(what: str, licence: str, profile: str) -> None:
    """Refuse weights of `affectstream train` whose material forbids commercial use.

    Whoever trained them knows their material, so that only a plain refusal counts.

    Args:
        what: names the weights in the error.
        licence: as their config states it, in any words.
        profile: of the settings.

    Raises:
        LicenceError: it says so, and the profile is not for research.
    """
    if profile != RESEARCH and forbids(licence):
        raise LicenceError(
            f"{what}: {licence}: no commercial use; train them on other material, or set profile "
            f'= "{RESEARCH}"'
        )


def admit_checkpoint(what: str, folder: Path, sidecar: Sidecar, profile: str) -> None:
    """Refuse weights of others unless they may be used commercially, or for research.

    Args:
        what: names the weights in the error.
        folder: where they lie.
        sidecar: what their operator says of the terms; else the model card in `folder`.
        profile: of the settings.

    Raises:
        LicenceError: the licence forbids commercial use, is unknown or missing, and the
            profile is not for research.
    """
    licence, permitted = sidecar.licence or stated(card(folder)), sidecar.commercial_use
    name = spelt(licence)
    if profile == RESEARCH or permitted or (permitted is None and name in COMMERCIAL):
        return
    if permitted is False or forbids(licence):
        reason = f"licence {name or 'unknown'} does not permit commercial use"
        remedy = "choose other weights"
    else:
        reason = f"licence {name!r} is none that we know" if name else "no licence is stated"
        remedy = (
            "read the terms, and if they permit commercial use write "
            f'{{"licence": "…", "commercial_use": true}} into {folder / SIDECAR}'
        )
    raise LicenceError(
        f"{what}: {reason}, and profile {profile!r} loads only what may be used commercially; "
        f'{remedy}, or set profile = "{RESEARCH}"'
    )


def forbids(licence: str) -> bool:
    """Whether a licence, by name or in words, rules commercial use out."""
    return bool(_NON_COMMERCIAL.search(spelt(licence)))


def spelt(licence: str) -> str:
    """In the hub's spelling: `CC BY-NC-SA 4.0` is cc-by-nc-sa-4.0."""
    return re.sub(r"[\s_]+", "-", licence.strip().casefold())


def card(folder: Path) -> dict[str, Any]:
    """The front matter of the model card in `folder`; empty where there is none to read."""
    path = folder / CARD
    if not path.is_file():
        return {}
    try:
        return metadata_load(path) or {}
    except (OSError, ValueError, yaml.YAMLError):  # a card is for people: it may hold anything
        return {}


def stated(front_matter: dict[str, Any]) -> str:
    """The licence of a model card; empty where it states none."""
    licence = front_matter.get("license") or ""
    return " ".join(map(str, licence)) if isinstance(licence, list) else str(licence)
