"""Who is signed in: credentials in the memory of this process, and a random id in the browser."""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ID_BYTES: Final = 32
IDLE_S: Final = 30 * 60.0
"""Counts while no page is open: whoever only watches a wall of calls stays signed in."""
ABSOLUTE_S: Final = 12 * 3600.0
"""A shift; then everybody signs in again."""
MOST: Final = 500
"""Sessions kept; the one that was not used for longest goes first."""


@dataclass(slots=True)
class Session:
    """One browser that signed in."""

    credential: str
    form_token: str
    """Must come with the form that ends the session."""
    began_s: float
    used_s: float
    checked_s: float
    """When the API last took the credential."""
    ended: bool = False


class Sessions:
    """Every session of this process; only digests of their ids are kept."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._known: OrderedDict[bytes, Session] = OrderedDict()

    def begin(self, credential: str) -> tuple[str, Session]:
        """A new session and the id that the browser keeps."""
        now_s = self._clock_s()
        session_id = secrets.token_urlsafe(ID_BYTES)
        session = Session(credential, secrets.token_urlsafe(ID_BYTES), now_s, now_s, now_s)
        self._known[_digest(session_id)] = session
        while len(self._known) > MOST:
            _, oldest = self._known.popitem(last=False)
            oldest.ended = True
        return session_id, session

    def find(self, session_id: str) -> Session | None:
        """The session of an id, marked as used; None where it is unknown or over."""
        key = _digest(session_id)
        session = self._known.get(key)
        if session is None:
            return None
        if not self.alive(session):
            self._known.pop(key)
            return None
        session.used_s = self._clock_s()
        self._known.move_to_end(key)
        return session

    def alive(self, session: Session) -> bool:
        """Whether it still counts; once over it stays over."""
        now_s = self._clock_s()
        if now_s - session.used_s >= IDLE_S or now_s - session.began_s >= ABSOLUTE_S:
            session.ended = True
        return not session.ended

    def touch(self, session: Session) -> None:
        """A page of it is open."""
        session.used_s = self._clock_s()

    def due(self, session: Session, every_s: float) -> bool:
        """Whether the API should be asked again; says yes once in `every_s`."""
        now_s = self._clock_s()
        if now_s - session.checked_s < every_s:
            return False
        session.checked_s = now_s
        return True

    def end(self, session: Session) -> None:
        """Sign out."""
        session.ended = True
        for key, known in list(self._known.items()):
            if known is session:
                del self._known[key]


def _digest(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode()).digest()
