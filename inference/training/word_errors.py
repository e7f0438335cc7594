"""Words as a poor recogniser hears them: some wrong, some lost, some made up."""

import random
from collections.abc import Sequence
from typing import Final

SUBSTITUTED: Final = 0.6
LOST: Final = 0.25
"""Of all errors; the rest are words made up. Recognisers err in about these shares."""


def misheard(text: str, rate: float, others: Sequence[str], lottery: random.Random) -> str:
    """`text` with an error at `rate` of its words.

    Args:
        text: words between spaces.
        rate: errors for each word, in [0, 1].
        others: words to draw wrong and made-up ones from; frequent words stand there often.
        lottery: decides.
    """
    heard: list[str] = []
    for word in text.split():
        if lottery.random() >= rate:
            heard.append(word)
            continue
        kind = lottery.random()
        if kind < SUBSTITUTED:
            heard.append(lottery.choice(others))
        elif kind >= SUBSTITUTED + LOST:
            heard += [word, lottery.choice(others)]
    return " ".join(heard)
