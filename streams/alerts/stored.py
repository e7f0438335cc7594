"""The rules of every tenant, and back-tests of new ones, over what the database holds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from inference.errors import AffectstreamError
from storage.hindsight import Stretch, conversation_page, reviewed_alerts
from storage.rules import read_every_rule
from storage.timeline import Wanted, window_page
from storage.values import LIVE_RUN, ConversationFacts, ConversationKey
from streams.alerts.backtest import BackTest, Findings
from streams.alerts.book import RuleBook
from streams.alerts.rule import RuleSpec

CONVERSATIONS: Final = 100
WINDOWS: Final = 1_000
"""Of a page: a quarter of an hour of one participant, some megabytes."""


class TooMuchError(AffectstreamError):
    """A back-test over more windows than the caller allows."""


async def load_book(engine: AsyncEngine) -> RuleBook:
    """Every version of every tenant, over the shipped rules. Raises StoreUnavailableError."""
    return RuleBook.of(await read_every_rule(engine))


async def run_back_test(
    engine: AsyncEngine,
    spec: RuleSpec,
    stretch: Stretch,
    *,
    run: str = LIVE_RUN,
    wanted_per_hour: float | None = None,
    most_windows: int | None = None,
    on_conversation: Callable[[], object] = lambda: None,
) -> Findings:
    """Show a rule every stored score of a stretch of time, page by page.

    Args:
        engine: of the database.
        spec: the rule.
        stretch: whose conversations, and when. Those that run into it are read from
            their beginning: the machine stands then as it would have.
        run: whose scores.
        wanted_per_hour: asks for a threshold.
        most_windows: read no more; None reads all.
        on_conversation: called after each.

    Raises:
        TooMuchError: there are more windows.
        StoreUnavailableError: the database does not answer.
    """
    test = BackTest(spec, stretch.from_ns, stretch.to_ns)
    windows = 0
    async for facts in _conversations(engine, stretch):
        key = ConversationKey(facts.tenant, facts.conversation)
        from_ns: int | None = None
        more = True
        while more:
            part = Wanted(key=key, run=run, from_ns=from_ns, to_ns=stretch.to_ns)
            scores, from_ns = await window_page(engine, part, WINDOWS)
            more = from_ns is not None
            windows += len(scores)
            if most_windows is not None and windows > most_windows:
                raise TooMuchError(
                    f"more than {most_windows} windows lie between from and to: shorten the "
                    "time or name a queue; `affectstream rules backtest` has no limit"
                )
            # beside the loop: an hour of calls is seconds of computing
            await asyncio.to_thread(test.show, scores, facts)
        test.close(facts)
        on_conversation()
    reviewed = await reviewed_alerts(engine, stretch)
    return test.findings(reviewed, wanted_per_hour=wanted_per_hour)


async def _conversations(engine: AsyncEngine, stretch: Stretch) -> AsyncIterator[ConversationFacts]:
    last: ConversationFacts | None = None
    while page := await conversation_page(engine, stretch, last, CONVERSATIONS):
        for last in page:
            yield last
