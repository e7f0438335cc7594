"""Which context a deployment has."""

from pathlib import Path
from typing import Literal

from inference.context.artefact import load_context
from inference.context.filter import HiddenMarkovFilter
from inference.context.observation import Assumed
from inference.methods import Context

ContextName = Literal["none", "filter", "recurrent"]


def open_context(name: ContextName, assumed: Assumed, folder: Path | None = None) -> Context | None:
    """The context of that name; None for `none`.

    Args:
        name: as settings call it.
        assumed: of the deployment whose scores it reads.
        folder: weights of `recurrent`; None takes the shipped ones.

    Raises:
        WeightsError: `folder` holds no usable weights.
    """
    match name:
        case "none":
            return None
        case "filter":
            return HiddenMarkovFilter(assumed)
        case "recurrent":
            return load_context(assumed, folder)
