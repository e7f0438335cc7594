"""The base of every error that a user may see."""


class AffectstreamError(Exception):
    """Says what happened, with which numbers, and what to change.

    The command prints it as one line and exits with 1; anything else that is raised is
    a bug and shows its traceback.
    """

    retryable = False
    """True where the same call may succeed later."""
