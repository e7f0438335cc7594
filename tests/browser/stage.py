"""A contact centre of one afternoon, through the real stores and served by the real API.

Two weeks of calls that are over, fifteen that go on while somebody looks, and what people did
about them. As a program, `python -m tests.browser.stage`, it serves the pages until Ctrl-C.
"""

import asyncio
import math
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.evidence import Quality
from inference.labels import AbsenceReason, Emotion, Modality, Role
from inference.narrator.template import TemplateNarrator
from inference.score import CueReport, Decision, ModalityReport, Versions, WindowScore
from storage import schema
from storage.cache import MemoryCache
from storage.digests import Digests
from storage.engine import open_engine, transaction
from storage.erasure import Eraser
from storage.keys import create_key
from storage.moment_search import MomentSearch
from storage.outbox import delivered, pending, put_off
from storage.results import ResultStore
from storage.rules import put_rule, read_every_rule
from storage.upgrade import upgrade
from storage.values import (
    ConversationFacts,
    ConversationKey,
    ParticipantBatch,
    ParticipantFacts,
    ParticipantKey,
    PolicyNews,
    Progress,
    Utterance,
)
from storage.withdrawal import PolicyStore
from streams.alerts.book import RuleBook
from streams.alerts.rule import plain, shipped_rules
from streams.policy import new_gate
from streams.records import ControlEvent, ControlKind
from streams.serving.access.bearer import Keys, bearer
from streams.serving.access.caller import Rank
from streams.serving.access.scopes import EVERY_SCOPE, TENANT_SCOPES
from streams.serving.api.service import Api, build_api
from streams.serving.finder import Finder
from streams.serving.server import running
from streams.telling import Teller
from streams.worker.alerting import Alerting, end_alerts
from streams.worker.relay import Relay
from tests.browser.pages_process import dashboard
from tests.browser.story import TENANT, silent, spoken
from tests.moments import SPACE, FakeSpace, Vector, moment, noise, unit
from tests.scores import SECOND_NS

OTHER_TENANT = "other"
HOUR_NS = 3_600 * SECOND_NS
DAY_NS = 24 * HOUR_NS
DAYS = 14
SHORT_S = 40
"""Scored seconds of a call that is over: enough to alert, few enough to store in no time."""
MEMORY = 0.7
"""Of the smoothing, as in `story`."""
BASE = 0.08
"""Distress of somebody calm, near the base rate that probabilities are calibrated to."""
VERSIONS = Versions(
    scorer="speech-3+text-2+face-2", calibration="cal-7", fusion="late-4", config="9f2c"
)
DIGESTS = Digests("of-a-stage-that-nobody-else-can-reach")
SUBJECT = "customer-77"
Level = Callable[[int, int], float]
"""Distress at a second of a call that lasts so many."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """How one participant comes across."""

    name: str = "p-1"
    role: Role = Role.CUSTOMER
    level: Level = lambda at, _: BASE + 0.02 * math.sin(at / 3)
    pauses: Callable[[int, int], bool] = lambda at, _: at % 23 > 19
    face: bool = False
    words: bool = True
    voice: bool = True
    unsure: bool = False
    conflict: float = 0.06
    change: float | None = None
    valence: float = 0.15


@dataclass(frozen=True, kw_only=True)
class Call:
    """A conversation, by what its windows will say."""

    id: str
    queue: str
    parts: tuple[Part, ...]
    began_ns: int
    lasts_s: int
    """Until now, where it runs."""
    language: str = "en"
    agent: str = "maria"
    lines: tuple[tuple[int, str, str], ...] = ()
    """Kept words: second, participant, text."""
    stalls_s: int = 0
    """So long ago its sender stopped."""
    stored: dict[str, Progress] = field(default_factory=dict)
    smooth: dict[str, float] = field(default_factory=dict)

    @property
    def facts(self) -> ConversationFacts:
        """What control said of it."""
        members = {part.name: part.role for part in self.parts} | {self.agent: Role.AGENT}
        return ConversationFacts(
            tenant=TENANT,
            conversation=self.id,
            queue=self.queue,
            language=self.language,
            region="eu",
            started_ns=self.began_ns,
            participants=tuple(
                ParticipantFacts(
                    participant=name,
                    role=role,
                    joined_ns=self.began_ns,
                    subject=DIGESTS.named_subject(TENANT, SUBJECT)
                    if self.id == "c-2012" and role is Role.CUSTOMER
                    else None,
                )
                for name, role in members.items()
            ),
        )

    def batches(self, from_s: int, until_s: int) -> list[ParticipantBatch]:
        """Windows that start in these seconds, as a worker would store them."""
        return [self._batch(part, from_s, until_s) for part in self.parts]

    def _batch(self, part: Part, from_s: int, until_s: int) -> ParticipantBatch:
        scores = tuple(self._window(part, at) for at in range(from_s, until_s))
        before = self.stored.get(part.name)
        return ParticipantBatch(
            key=ParticipantKey(TENANT, "live", self.id, part.name),
            expected=before,
            progress=Progress(
                closed_until_ns=scores[-1].end_ns, alerts=b"" if before is None else before.alerts
            ),
            scores=scores,
            moments=tuple(moment(score, vector_of(score)) for score in scores if score.distress),
            conversation=self.facts,
            words=tuple(
                Utterance(
                    participant=who,
                    segment=f"s-{at}",
                    start_ns=self.began_ns + at * SECOND_NS,
                    end_ns=self.began_ns + (at + 3) * SECOND_NS,
                    text=text,
                    language=self.language,
                    confidence=0.91,
                )
                for at, who, text in self.lines
                if who == part.name and from_s <= at < until_s
            ),
        )

    def _window(self, part: Part, at: int) -> WindowScore:
        start_ns = self.began_ns + at * SECOND_NS
        level = min(0.97, max(0.01, part.level(at, self.lasts_s)))
        score = window(self.id, part, start_ns, round(level, 4))
        if part.pauses(at, self.lasts_s):
            return silent(score)
        before = self.smooth.get(part.name, level)
        smoothed = self.smooth[part.name] = MEMORY * before + (1 - MEMORY) * level
        assert score.distress is not None
        distress = msgspec.structs.replace(score.distress, smoothed=round(smoothed, 4))
        return msgspec.structs.replace(score, distress=distress)


DISTRESSED, CALM, GLAD = unit([1]), unit([0, 1]), unit([0, 0, 1])
STAGE_SPACE = FakeSpace(
    known={
        **dict.fromkeys(
            ["raised", "voice", "asks", "for", "refund", "has", "had", "enough"], DISTRESSED
        ),
        **dict.fromkeys(["calm", "and", "friendly"], CALM),
        **dict.fromkeys(["laughs", "sounds", "relieved"], GLAD),
    }
)
"""It knows what the examples of the page say."""


def vector_of(score: WindowScore) -> Vector:
    """How a window sounds, and something of its own."""
    assert score.distress is not None
    level = score.distress.probability
    glad = 0.8 if score.decision.label is Emotion.JOY else 0.05
    own = 0.5 * noise(score.start_ns // SECOND_NS % 2**31)
    sounds = level * DISTRESSED + (1 - level) * 0.5 * CALM + glad * GLAD
    return unit((sounds + own).tolist())


def window(conversation: str, part: Part, start_ns: int, level: float) -> WindowScore:
    """One window of somebody who speaks, with the modalities that `part` has."""
    score = spoken(conversation, part.name, start_ns, level, role=part.role, words=part.words)
    there = [
        modality
        for modality, is_there in (
            (Modality.SPEECH, part.voice),
            (Modality.TEXT, part.words),
            (Modality.FACE, part.face),
        )
        if is_there
    ]
    weights = dict(
        zip(there, ((1.0,), (0.6, 0.4), (0.45, 0.32, 0.23))[len(there) - 1], strict=True)
    )
    why = {Modality.FACE: AbsenceReason.NO_CAMERA, Modality.TEXT: AbsenceReason.NO_TRACK}
    quality = {
        Modality.SPEECH: Quality(present_share=0.91, level=0.62),
        Modality.TEXT: Quality(confidence=0.88),
        Modality.FACE: Quality(present_share=0.84),
    }
    unsure = part.unsure or 0.24 < level < 0.4
    label = Emotion.ANGER if level >= 0.4 else Emotion.NEUTRAL
    if part.valence > 0.4:
        label = Emotion.JOY
    cues = tuple(cue for cue in score.evidence if cue.modality in there)
    if part.face and level > 0.4:
        cues += (CueReport(modality=Modality.FACE, cue="brows drawn together"),)
    emotions = score.emotions
    if label is Emotion.JOY and emotions is not None:
        moved = round(0.6 * emotions[Emotion.NEUTRAL], 4)
        emotions = emotions | {
            Emotion.JOY: round(emotions[Emotion.JOY] + moved, 4),
            Emotion.NEUTRAL: round(emotions[Emotion.NEUTRAL] - moved, 4),
        }
    return msgspec.structs.replace(
        score,
        emotions=emotions,
        arousal=round(0.3 + 0.6 * level, 4),
        valence=round(part.valence - 0.9 * level, 4),
        decision=Decision(
            label=None if unsure else label,
            set=(Emotion.ANGER, Emotion.NEUTRAL) if unsure else (label,),
            coverage=0.9,
            abstained=unsure,
        ),
        modalities={
            modality: ModalityReport(
                present=True, weight=weights[modality], quality=quality[modality]
            )
            if modality in there
            else ModalityReport(present=False, reason=why.get(modality, AbsenceReason.NO_TRACK))
            for modality in Modality
        },
        conflict=part.conflict if len(there) > 1 else 0.0,
        evidence=cues,
        versions=VERSIONS,
        change=part.change,
    )


def climbs(top: float, share: float = 0.55, wobble: float = 0.03) -> Level:
    """Calm at first, near `top` at the end; halfway up after `share` of the call."""

    def level(at: int, lasts_s: int) -> float:
        up = 1 / (1 + math.exp(-16 * (min(1.2, at / lasts_s) - share)))
        return BASE + (top - BASE) * up + wobble * math.sin(1.7 * at)

    return level


def rises_and_falls(top: float) -> Level:
    """A wave in the middle third."""

    def level(at: int, lasts_s: int) -> float:
        return BASE + (top - BASE) * math.exp(-(((at / lasts_s - 0.5) / 0.14) ** 2))

    return level


def steady(mean: float) -> Level:
    """Neither here nor there."""
    return lambda at, _: mean + 0.03 * math.sin(at / 4)


def live_calls(now_ns: int) -> list[Call]:
    """What goes on, the neediest first."""

    def call(
        name: str, queue: str, minutes: float, *parts: Part, language: str = "en",
        agent: str = "maria", lines: tuple[tuple[int, str, str], ...] = (), stalls_s: int = 0,
    ) -> Call:  # fmt: skip
        lasts_s = int(60 * minutes)
        return Call(
            id=name, queue=queue, parts=parts, began_ns=now_ns - (lasts_s + 2) * SECOND_NS,
            lasts_s=lasts_s, language=language, agent=agent, lines=lines, stalls_s=stalls_s,
        )  # fmt: skip

    never = lambda *_: False  # noqa: E731 - shorter than a function
    beside = Part(name="p-2", level=steady(0.06), pauses=lambda at, _: at % 9 > 5)
    return [
        call(
            "c-2001", "billing", 7, Part(level=climbs(0.78), conflict=0.09, change=1.4), beside,
            lines=LINES,
        ),
        call("c-2002", "technical", 5, Part(level=climbs(0.64, 0.9), face=True), agent="jon"),
        call("c-2003", "billing", 9, Part(level=climbs(0.56, 0.4), words=False), agent="li"),
        call(
            "c-2004", "support", 4,
            Part(
                level=climbs(0.6, 0.3),
                pauses=lambda at, lasts_s: at > lasts_s - 34,
            ),
            agent="jon",
        ),
        call(
            "c-2005", "sales", 6, Part(level=steady(0.18), conflict=0.56, face=True), agent="ana"
        ),
        call("c-2006", "support", 3, Part(level=climbs(0.36, 0.96)), language="de", agent="jon"),
        call("c-2007", "sales", 8, Part(level=steady(0.05), valence=0.6, face=True), agent="ana"),
        call(
            "c-2008", "technical", 2, Part(level=steady(0.3), unsure=True, words=False),
            language="fr",
        ),
        call("c-2009", "billing", 1, Part(), language="de", agent="li"),
        call("c-2010", "technical", 12, Part(level=steady(0.1), face=True), agent="jon"),
        call("c-2011", "sales", 5, Part(words=True, voice=False, pauses=never), agent="ana"),
        call("c-2012", "billing", 6, Part(level=steady(0.11)), agent="li"),
        call("c-2013", "support", 2, Part(pauses=lambda *_: True), language="fr"),
        call("c-2014", "technical", 10, Part(level=steady(0.12)), stalls_s=150),
        call("c-2015", "support", 4, Part(level=rises_and_falls(0.5)), agent="jon"),
    ]  # fmt: skip


LINES = (
    # of customers only: the profile permits no words of agents
    (6, "p-1", "Hello, I am calling about my bill for October."),
    (95, "p-1", "It is the third time now that I call about this."),
    (140, "p-1", "Nobody told me that there would be a fee."),
    (190, "p-2", "It is about both of our numbers."),
    (236, "p-1", "Then why was I charged again? This is really not acceptable."),
    (300, "p-1", "I want this put right today, not next week."),
    (388, "p-1", "And who tells me that it does not come back?"),
)


def ended_calls(now_ns: int) -> list[Call]:
    """Two weeks: billing reads worse than a week before, sales as before, few calls of legal."""
    today_ns = now_ns // HOUR_NS * HOUR_NS - 2 * HOUR_NS
    found = []
    for day in range(DAYS):
        late = day < DAYS // 2
        for queue, count in (
            ("billing", 7),
            ("sales", 6),
            ("technical", 6),
            ("legal", day % 3 == 1),
        ):
            for n in range(int(count)):
                number = len(found)
                spread = 0.05 * math.sin(2.3 * number) + 0.04 * math.cos(5.1 * number)
                mean = {"billing": 0.31 if late else 0.17, "technical": 0.2}.get(queue, 0.13)
                top = 0.62 if queue == "billing" and n == 0 else mean + spread + 0.05
                level = rises_and_falls(top) if n == 0 else steady(mean + spread)
                found.append(
                    Call(
                        id=f"c-1{number:03}",
                        queue=queue,
                        language=("en", "en", "de", "fr")[number % 4],
                        agent=("maria", "jon", "li", "ana")[number % 4],
                        parts=(Part(level=level, face=number % 3 == 0),),
                        began_ns=today_ns - day * DAY_NS - n * 53 * 60 * SECOND_NS,
                        lasts_s=SHORT_S,
                    )
                )
    return found


class Known:
    """The rules as they are stored, all read."""

    def __init__(self, book: RuleBook) -> None:
        self.book = book

    def knows(self, _: int) -> bool:
        """Always: nobody writes any while the stage is set."""
        return True


class Nowhere:
    """A broker that takes everything."""

    async def publish(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, str]
    ) -> None:
        """Gone."""


@dataclass(kw_only=True)
class Stage:
    """Everything that is set, with the keys of those who may look."""

    engine: AsyncEngine
    cache: MemoryCache
    api: Api
    relay: Relay
    calls: list[Call]
    alerting: Alerting
    keys: dict[str, str] = field(default_factory=dict)
    """`ada` administers, `alice` supervises, `victor` looks on; `bob` is of another tenant."""
    api_url: str = ""
    page_url: str = ""

    async def store(self, batches: Sequence[ParticipantBatch]) -> None:
        """What a worker does with windows that it has scored."""
        judged = [self.alerting(batch) for batch in batches]
        result = await ResultStore(self.engine, end_alerts=end_alerts, digests=DIGESTS).commit(
            judged
        )
        assert not result.failed, result
        known = {call.id: call for call in self.calls}
        for batch in judged:
            if batch.key not in result.rejected and batch.key.conversation in known:
                known[batch.key.conversation].stored[batch.key.participant] = batch.progress

    async def go_on(self) -> None:
        """A window a second for every call that runs, until cancelled."""
        while True:
            now_ns = time.time_ns()
            batches = []
            for call in self.calls:
                until_s = (now_ns - call.began_ns) // SECOND_NS - 2 - call.stalls_s
                for part in call.parts:
                    before = call.stored.get(part.name)
                    if before is None:
                        continue
                    from_s = (before.closed_until_ns - call.began_ns) // SECOND_NS - 2
                    if from_s < until_s:
                        batches.append(call._batch(part, int(from_s), int(until_s)))
            await self.store(batches)
            await asyncio.sleep(1 - time.time_ns() % SECOND_NS / SECOND_NS)


@asynccontextmanager
async def stage(folder: Path, *, runs: bool = True) -> AsyncIterator[Stage]:
    """The pages over a database in `folder`; `runs`: calls go on while it is open."""
    now_ns = time.time_ns() // SECOND_NS * SECOND_NS
    engine = open_engine(f"sqlite+aiosqlite:///{folder}/stage.db")
    await upgrade(engine)
    cache = MemoryCache()
    teller = Teller(TemplateNarrator(), TemplateNarrator())
    built = build_api(
        engine,
        cache,
        bearer(Keys(engine), None),
        eraser=Eraser(engine, cache, digests=DIGESTS),
        finder=Finder(STAGE_SPACE, MomentSearch(engine, SPACE)),
        teller=teller,
    )
    await _write_rules(engine, now_ns)
    set_up = Stage(
        engine=engine,
        cache=cache,
        api=built,
        relay=Relay(engine, cache, Nowhere()),
        calls=live_calls(now_ns),
        alerting=Alerting(Known(RuleBook.of(await read_every_rule(engine))), teller),
    )
    await _make_keys(set_up, now_ns)
    await _store_past(set_up, now_ns)
    for call in set_up.calls:
        await set_up.store(call.batches(0, call.lasts_s - call.stalls_s))
    await _decide(set_up, now_ns)
    await _deliver(set_up, now_ns)
    async with (
        running(
            built.app, "127.0.0.1", 0, option="-", before_drain=built.feed.close
        ) as set_up.api_url,
        dashboard(set_up.api_url) as set_up.page_url,
    ):
        await _act(set_up)
        tasks = [asyncio.create_task(set_up.relay.run(), name="relay")]
        if runs:
            tasks.append(asyncio.create_task(set_up.go_on(), name="calls"))
        try:
            yield set_up
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    await engine.dispose()


async def _write_rules(engine: AsyncEngine, now_ns: int) -> None:
    """One changed, one of its own, one switched off; long before the first call."""
    long_ago_ns = now_ns - 30 * DAY_NS
    shipped = shipped_rules()
    await put_rule(
        engine, TENANT, "sustained-distress",
        plain(shipped["sustained-distress"]) | {"notify": ["webhook:crm"]},
        author="alice", now_ns=long_ago_ns,
    )  # fmt: skip
    own = plain(shipped["sustained-distress"]) | {
        "metric": "anger", "enter": 0.45, "exit": 0.3, "severity": "warning",
        "match": {"roles": ["customer"], "queues": ["technical"], "languages": []},
        "summary": "A caller of the technical queue would likely be called angry.",
    }  # fmt: skip
    await put_rule(engine, TENANT, "technical-anger", own, author="alice", now_ns=long_ago_ns)
    await put_rule(engine, TENANT, "sharp-rise", None, author="ada", now_ns=long_ago_ns)


async def _make_keys(set_up: Stage, now_ns: int) -> None:
    people = (
        ("ada", TENANT, Rank.ADMIN),
        ("alice", TENANT, Rank.SUPERVISOR),
        ("victor", TENANT, Rank.VIEWER),
        ("bob", OTHER_TENANT, Rank.ADMIN),
    )
    for name, tenant, rank in people:
        made = await create_key(
            set_up.engine,
            tenant=tenant,
            name=name,
            rank=rank.value,
            scopes=sorted(EVERY_SCOPE if rank is Rank.ADMIN else TENANT_SCOPES),
            created_by="stage",
            now_ns=now_ns,
        )
        set_up.keys[name] = made.secret


async def _store_past(set_up: Stage, now_ns: int) -> None:
    store = ResultStore(set_up.engine, end_alerts=end_alerts, digests=DIGESTS)
    calls = ended_calls(now_ns)
    for n in range(0, len(calls), 20):
        await set_up.store([one for call in calls[n : n + 20] for one in call.batches(0, SHORT_S)])
    for call in calls:
        await store.end_conversation(call.facts, call.began_ns + (call.lasts_s + 3) * SECOND_NS)


async def _decide(set_up: Stage, now_ns: int) -> None:
    """What the profile `eu` decides of every call that runs; one caller withdraws."""
    records, gates = PolicyStore(set_up.engine, DIGESTS), new_gate("eu")
    for call in set_up.calls:
        gate = gates(TENANT)
        events = [
            (ControlKind.STARTED, "-", call.began_ns, {"notice": "yes", "region": "eu"}),
            *(
                (
                    ControlKind.PARTICIPANT_JOINED, one.participant, call.began_ns,
                    {"role": one.role.value},
                )
                for one in call.facts.participants
            ),
        ]  # fmt: skip
        if call.id == "c-2010":
            at_ns = now_ns - 20 * SECOND_NS
            events.append((ControlKind.CONSENT_CHANGED, "p-1", at_ns, {"consent": "no"}))
        for number, (kind, participant, at_ns, attributes) in enumerate(events):
            gate.apply(
                ControlEvent(
                    tenant=TENANT,
                    conversation=call.id,
                    participant=participant,
                    sequence=number,
                    kind=kind,
                    at_ns=at_ns,
                    attributes=attributes,
                )
            )
        await records.record(
            PolicyNews(
                key=ConversationKey(TENANT, call.id),
                run="live",
                rulings=gate.rulings((), 0),
                consents=gate.consents(),
                passed={name: one.closed_until_ns for name, one in call.stored.items()},
                events=len(events),
            )
        )
        if call.id == "c-2010":
            call.stored.clear()


async def _deliver(set_up: Stage, now_ns: int) -> None:
    """All is told but to the webhook `crm`, which refused the alerts of this hour.

    The relay itself would take a minute over two weeks at once.
    """
    async with transaction(set_up.engine) as connection:
        gone = schema.deliveries.c.sink.in_(("kafka", "cache", "feed"))
        await connection.execute(delete(schema.deliveries).where(gone))
        left = select(schema.deliveries.c.outbox_id)
        await connection.execute(delete(schema.outbox).where(schema.outbox.c.id.not_in(left)))
    while messages := await pending(set_up.engine, "webhook:crm", now_ns=now_ns, limit=200):
        old = [message for message in messages if message.at_ns < now_ns - HOUR_NS]
        await delivered(set_up.engine, old)
        for message in messages:
            if message not in old:
                await put_off(
                    set_up.engine,
                    replace(message, attempts=11),
                    error="410 Gone: the target takes no more messages",
                    until_ns=now_ns + HOUR_NS,
                    dead=True,
                )


async def _act(set_up: Stage) -> None:
    """What people did, by the API, so that it stands in the audit log."""
    alice, ada = (
        httpx.AsyncClient(
            base_url=f"{set_up.api_url}/v1", headers={"Authorization": f"Bearer {key}"}
        )
        for key in (set_up.keys["alice"], set_up.keys["ada"])
    )
    async with alice, ada:
        over = (await alice.get("/alerts", params={"state": "resolved", "limit": 200})).json()
        for place, one in enumerate(over["items"][:8]):
            verdict = ("right", "right", "wrong", "right", "unclear")[place % 5]
            note = {"verdict": verdict} | ({"note": "laughed, all is well"} if place == 2 else {})
            (await alice.post(f"/alerts/{one['id']}/verdict", json=note)).raise_for_status()
        opened = (await alice.get("/alerts", params={"state": "open"})).json()["items"]
        of = {one["conversation"]: one["id"] for one in opened}
        done = [
            await alice.post(f"/alerts/{of['c-2003']}/acknowledge", json={}),
            await alice.post(f"/alerts/{of['c-2005']}/snooze", json={"minutes": 60}),
            await alice.get("/conversations/c-2001"),
            await ada.post("/erasures", json={"conversation": "c-1007"}),
            await ada.post("/erasures", json={"subject": "customer-12"}),
        ]
        for answer in done:
            answer.raise_for_status()
        await _judge(alice)


async def _judge(alice: httpx.AsyncClient) -> None:
    """Two labels of one's own: one was judged often, the other hardly."""
    for name, prompts, often in (
        ("fed-up", ["has had enough", "raised voice, asks for refund"], 12),
        ("relieved", ["laughs, sounds relieved"], 2),
    ):
        (await alice.put(f"/labels/{name}", json={"prompts": prompts})).raise_for_status()
        near = await alice.get(f"/labels/{name}/moments", params={"limit": often})
        far = await alice.get("/search", params={"q": "calm and friendly", "limit": often})
        for answer, usual in ((near, True), (far, False)):
            for place, one in enumerate(answer.json()["items"]):
                said = {word: one[word] for word in ("conversation", "participant", "start")}
                body = said | {"holds": usual if place % 5 else not usual}
                judged = await alice.post(f"/labels/{name}/judgements", json=body)
                judged.raise_for_status()


async def _main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        began_s = time.monotonic()
        async with stage(Path(folder)) as set_up:
            sys.stdout.write(f"set in {time.monotonic() - began_s:.1f} s: {set_up.page_url}\n")
            for name, key in set_up.keys.items():
                sys.stdout.write(f"{name} {key}\n")
            sys.stdout.flush()
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
