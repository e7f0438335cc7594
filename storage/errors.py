"""What can go wrong with stores, in words that say what to do."""

from inference.errors import AffectstreamError


class StorageError(AffectstreamError):
    """A store refused what it was asked for; asking again changes nothing."""


class StoreUnavailableError(StorageError):
    """A store cannot be reached or does not answer: worth waiting for."""


class NoTablesError(StorageError):
    """The database is there, and nobody made its tables."""
