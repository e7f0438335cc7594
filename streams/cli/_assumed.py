"""What a deployment assumes of its calls, as methods of context read it."""

from inference.context.observation import Assumed
from inference.fusion.prior import DeploymentPrior
from streams.settings import Settings


def assumed(settings: Settings) -> Assumed:
    """Of the settings."""
    return assumed_of(
        DeploymentPrior(
            neutral_share=settings.neutral_share, distress_base_rate=settings.distress_base_rate
        )
    )


def assumed_of(prior: DeploymentPrior) -> Assumed:
    """Of a prior of fusion."""
    return Assumed(prior.log_shares, prior.distress_log_odds)
