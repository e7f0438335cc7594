"""Keyed digests: who or what a row is about, readable only by who names it and has the key."""

import hashlib
import hmac

from storage.errors import StorageError


class NoSecretError(StorageError):
    """A digest of a subject was asked for, and there is no key to make it with."""


class Digests:
    """HMAC-SHA256 (RFC 2104) under the secret of a deployment, apart for each purpose.

    Args:
        secret: the setting `secret`; without it conversations are digested under an empty
            key, and subjects not at all: names are few enough to try.
    """

    def __init__(self, secret: str = "") -> None:
        self._key = secret.encode()

    def subject(self, tenant: str, name: str) -> str | None:
        """Of whoever a participant is; None without a secret."""
        return self._digest("subject", tenant, name) if self._key else None

    def named_subject(self, tenant: str, name: str) -> str:
        """The same for who cannot go on without. Raises NoSecretError."""
        digest = self.subject(tenant, name)
        if digest is None:
            raise NoSecretError(
                "the setting secret is empty, so no subject was ever stored and none can be "
                "found: set AFFECTSTREAM_SECRET before calls are taken, the same in every process"
            )
        return digest

    def tombstone(self, tenant: str, conversation: str) -> str:
        """Of an erased conversation."""
        return self._digest("conversation", tenant, conversation)

    def pseudonym(self, tenant: str, *names: str) -> str:
        """What stands for a name where only the fact may stay; a valid id of 32 digits."""
        return self._digest("pseudonym", tenant, *names)[:32]

    def _digest(self, *parts: str) -> str:
        # no id holds a NUL, so the parts cannot run into each other
        return hmac.new(self._key, "\0".join(parts).encode(), hashlib.sha256).hexdigest()
