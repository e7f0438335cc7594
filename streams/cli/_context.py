"""The context that the settings ask for, and what it assumes of the calls."""

from pathlib import Path

from inference.context.observation import Assumed
from inference.context.opening import open_context
from inference.fusion.prior import DeploymentPrior
from inference.methods import Context
from streams.settings import Settings


def context_of(settings: Settings) -> Context | None:
    """None where none is asked for. Raises WeightsError."""
    folder = Path(settings.context_weights) if settings.context_weights else None
    return open_context(settings.context, assumed(settings), folder)


def assumed(settings: Settings) -> Assumed:
    """Of the settings."""
    return assumed_of(DeploymentPrior(settings.neutral_share, settings.distress_base_rate))


def assumed_of(prior: DeploymentPrior) -> Assumed:
    """Of a prior of fusion."""
    return Assumed(prior.log_shares, prior.distress_log_odds)
