"""What may be wrong with an imputer or with what it is given."""

from inference.errors import AffectstreamError


class ShapeError(AffectstreamError, ValueError):
    """Arrays that do not fit each other, or not the imputer."""


class ImputationWeightsError(AffectstreamError):
    """A folder that holds no usable imputer."""
