"""Kept words in both databases."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncEngine

from storage.results import ResultStore
from storage.transcripts import word_page
from storage.values import ConversationKey, Utterance
from tests.scores import SECOND_NS, START_NS, batch, distressed

KEY = ConversationKey("acme", "c-1")


def said(number: int, text: str = "well", *, end_s: int | None = None) -> Utterance:
    end_ns = START_NS + (number if end_s is None else end_s) * SECOND_NS
    return Utterance(
        participant="p-1",
        segment=f"s-{number}",
        start_ns=end_ns - SECOND_NS,
        end_ns=end_ns,
        text=text,
        language="en",
        confidence=0.9,
    )


async def store(engine: AsyncEngine, *words: Utterance, run: str = "live", at: int = 0) -> None:
    score = distressed(at, run=run)
    result = await ResultStore(engine).commit([replace(batch([score], None), words=words)])
    assert not result.rejected
    assert not result.failed


async def test_words_come_back_in_pages_of_whole_instants(engine: AsyncEngine) -> None:
    words = [said(1), said(2), said(3, end_s=2), said(4)]
    await store(engine, *words)
    assert await word_page(engine, KEY, from_ns=0, limit=1) == ([words[0]], True)
    after_ns = words[0].end_ns
    assert await word_page(engine, KEY, from_ns=after_ns, limit=1) == (words[1:3], True)
    after_ns = words[2].end_ns
    assert await word_page(engine, KEY, from_ns=after_ns, limit=1) == ([words[3]], False)
    assert await word_page(engine, KEY, from_ns=0, limit=10) == (words, False)
    assert await word_page(engine, ConversationKey("rival", "c-1"), from_ns=0, limit=9) == (
        [],
        False,
    )


async def test_a_segment_keeps_the_revision_that_the_scores_saw(engine: AsyncEngine) -> None:
    await store(engine, said(1, "first"))
    await store(engine, said(1, "second"), run="again")
    [word], _ = await word_page(engine, KEY, from_ns=0, limit=9)
    assert word.text == "first"
    other = replace(batch([distressed(0, participant="p-2")], None), words=(said(1, "third"),))
    await ResultStore(engine).commit([other])
    [word], _ = await word_page(engine, KEY, from_ns=0, limit=9)
    assert word.text == "first"


async def test_a_replay_writes_no_words(engine: AsyncEngine) -> None:
    await store(engine, said(1), run="again")
    assert await word_page(engine, KEY, from_ns=0, limit=9) == ([], False)
