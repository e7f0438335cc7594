"""`affectstream evaluate model`: the figures of whatever a setting names."""

from dataclasses import replace
from typing import Annotated, Literal

from cyclopts import Parameter

from streams.cli._manifest import ManifestOptions


def model(
    *,
    modality: Literal["speech", "text", "face"],
    model: str | None = None,
    json: bool = False,
    own: Annotated[ManifestOptions | None, Parameter(name="*")] = None,
) -> None:
    """Judge the expert that the settings choose, or one that they could, on own material.

    Example: `affectstream evaluate model --modality text --model our-words --manifest my.csv`

    Args:
        modality: what it reads.
        model: a folder, `owner/name@revision` or `shipped`; default is what the settings say.
        json: print one JSON object instead of tables.
        own: material of your own.
    """
    from inference.labels import Modality
    from inference.panel import load_expert
    from streams.cli._judging import judge
    from streams.cli._scoring import expert_choice
    from streams.settings import load

    own = own or ManifestOptions()
    own.check_with(None)
    choice, reads = expert_choice(load()), Modality(modality)
    if model is not None:
        choice = replace(choice, models={reads: model})
    judge(own, reads, lambda: load_expert(choice, reads), json=json)
