"""What may be wrong with what fusion has learnt."""

from inference.errors import AffectstreamError


class FusionWeightsError(AffectstreamError):
    """A folder that holds no usable calibration or weights of fusion."""
