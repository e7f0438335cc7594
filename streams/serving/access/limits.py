"""How often somebody may ask: moving windows in this process's memory."""

import ipaddress
import math
import time
from http import HTTPStatus

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from inference.errors import AffectstreamError
from streams.serving.access.caller import Caller
from streams.serving.problems import ProblemError


class LimitError(AffectstreamError):
    """A limit that cannot be read."""


def rate(text: str) -> RateLimitItem:
    """A limit as settings write it: `3000/minute`. Raises LimitError for anything else."""
    try:
        return parse(text)
    except ValueError as exc:
        raise LimitError(f"{text!r} is no rate: write it as `3000/minute` or `50/second`") from exc


class Limits:
    """Counts requests by credentials, and refused credentials by address.

    What is refused is counted by address before the next one is looked at, so that guessing
    costs no database. A request that was refused here is not counted: who waits as long as
    `Retry-After` says gets in.

    Args:
        calls: of one key or one person.
        refused: wrong or missing credentials from one address.
    """

    def __init__(self, calls: str, refused: str) -> None:
        self._calls = rate(calls)
        self._refused = rate(refused)
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    def expect(self, address: str) -> None:
        """Raise ProblemError (429) where `address` had too much refused."""
        place = neighbourhood(address)
        if not self._windows.test(self._refused, "refused", place):
            raise self._later(
                self._refused, "refused", place, why="Too many wrong or missing credentials"
            )

    def refused(self, address: str) -> None:
        """Count credentials that were not accepted."""
        self._windows.hit(self._refused, "refused", neighbourhood(address))

    def count(self, caller: Caller) -> None:
        """Count a request; raise ProblemError (429) where it is one too many."""
        who = caller.credential
        if who is not None and not self._windows.hit(self._calls, "calls", who):
            raise self._later(self._calls, "calls", who, why="Too many requests")

    def _later(self, limit: RateLimitItem, *names: str, why: str) -> ProblemError:
        reset_s = self._windows.get_window_stats(limit, *names).reset_time
        wait_s = max(1, math.ceil(reset_s - time.time()))
        return ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"{why}: {limit} are allowed. Try again in {wait_s} s.",
            headers={"Retry-After": str(wait_s)},
        )


def neighbourhood(address: str) -> str:
    """`address`, or the /64 of an IPv6 one: a household has all of that."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004 - the Internet Protocol has two
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
