"""Many short calls in a database, for tests of what is said about many."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Role
from inference.score import Decision, WindowScore
from inference.units import DAY_NS, MINUTE_NS
from storage.results import ResultStore
from storage.values import ConversationFacts, ParticipantBatch, ParticipantFacts
from tests.scores import START_NS, batch, distressed

MIDNIGHT_NS = START_NS // DAY_NS * DAY_NS


@dataclass(frozen=True, kw_only=True)
class Call:
    """One customer, and maybe agents, who say the same in `minutes` after the other."""

    queue: str = "billing"
    language: str = "en"
    start_ns: int = MIDNIGHT_NS
    values: Sequence[float | None] = (0.5,)
    """Distress of one window a minute; None is a window with nothing in it."""
    agents: Sequence[str] = ()
    agent_distress: float = 0.9
    run: str = "live"
    tenant: str = "acme"
    step_ns: int = field(default=MINUTE_NS)


def scores_of(call: Call, conversation: str) -> list[WindowScore]:
    """Every window of a call."""
    found = []
    for participant in ("customer", *call.agents):
        agent = participant != "customer"
        for index, value in enumerate(call.values):
            said = call.agent_distress if agent and value is not None else value
            start_ns = call.start_ns + index * call.step_ns
            score = distressed(
                0, said or 0.0, conversation=conversation, participant=participant,
                run=call.run, start_ns=start_ns,
            )  # fmt: skip
            role = Role.AGENT if agent else Role.CUSTOMER
            score = msgspec.structs.replace(score, tenant=call.tenant, role=role)
            found.append(score if said is not None else _empty(score))
    return found


def _empty(score: WindowScore) -> WindowScore:
    return msgspec.structs.replace(
        score,
        emotions=None,
        distress=None,
        arousal=None,
        valence=None,
        decision=Decision(label=None, set=(), coverage=0.9, abstained=True),
    )


async def store_calls(engine: AsyncEngine, calls: Sequence[Call], prefix: str = "c") -> None:
    """Store them as `c-0`, `c-1`, …, as workers would."""
    batches: list[ParticipantBatch] = []
    for number, call in enumerate(calls):
        conversation = f"{prefix}-{number}"
        spoken: dict[str, list[WindowScore]] = defaultdict(list)
        for score in scores_of(call, conversation):
            spoken[score.participant].append(score)
        facts = ConversationFacts(
            tenant=call.tenant,
            conversation=conversation,
            queue=call.queue,
            language=call.language,
            started_ns=call.start_ns,
            participants=tuple(
                ParticipantFacts(
                    participant=participant, role=scores[0].role, joined_ns=call.start_ns
                )
                for participant, scores in spoken.items()
            ),
        )
        for scores in spoken.values():
            one = batch(scores, None)
            batches.append(
                ParticipantBatch(
                    key=one.key,
                    expected=None,
                    progress=one.progress,
                    scores=one.scores,
                    conversation=facts,
                )
            )
    result = await ResultStore(engine).commit(batches)
    assert not result.rejected
    assert not result.failed
