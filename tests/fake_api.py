"""An API of two tenants that keeps everything in memory: what the pages are clients of.

Its answers have the shapes of the HTTP API; what is posted is kept and acted upon.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import msgspec
from fastapi import FastAPI, HTTPException, Request, Response
from starlette.responses import JSONResponse, StreamingResponse

from inference.contract import format_time
from inference.units import SECOND_NS

ALICE = "as_alice-supervisor-of-acme"
ADA = "as_ada-administrator-of-acme"
VICTOR = "as_victor-viewer-of-acme"
BOB = "as_bob-administrator-of-other"
PEOPLE = {
    ALICE: {"tenant": "acme", "name": "alice", "rank": "supervisor", "scopes": []},
    ADA: {"tenant": "acme", "name": "ada", "rank": "admin", "scopes": []},
    VICTOR: {"tenant": "acme", "name": "victor", "rank": "viewer", "scopes": []},
    BOB: {"tenant": "other", "name": "bob", "rank": "admin", "scopes": []},
}
SPEC: dict[str, Any] = {
    "metric": "smoothed",
    "enter": 0.6,
    "exit": 0.45,
    "for_s": 10,
    "keep_firing_for_s": 10,
    "cooldown_s": 60,
    "min_speech": 0.2,
    "severity": "critical",
    "match": {"roles": ["customer"], "queues": [], "languages": []},
    "notify": ["webhook:crm"],
    "summary": "A customer sounds distressed and stays so",
    "runbook": "sustained-distress",
}


def ago(seconds: float) -> str:
    """RFC 3339."""
    return format_time(int(time.time_ns() // SECOND_NS - seconds) * SECOND_NS)


def alert(name: str, **changes: Any) -> dict[str, Any]:
    """One alert that fires, as the API tells it."""
    return {
        "id": name,
        "run": "live",
        "conversation": f"call-{name}",
        "participant": "p-1",
        "role": "customer",
        "queue": "billing",
        "language": "en",
        "rule": "sustained-distress",
        "rule_version": 0,
        "severity": "critical",
        "metric": "smoothed",
        "state": "firing",
        "since": ago(95),
        "fired": ago(85),
        "resolved": None,
        "reason": None,
        "peak": 0.83,
        "evidence": [
            {
                "start": ago(95 - n),
                "end": ago(92 - n),
                "value": 0.61 + n / 20,
                "cues": [
                    {
                        "modality": "speech",
                        "cue": "pitch +2.1 sd against own first minute",
                        "at": None,
                    },
                    {"modality": "text", "cue": "complaint phrase", "at": ago(94 - n)},
                ],
            }
            for n in range(3)
        ],
        "narrative": "The customer would be called distressed from 2:05 to 2:12.",
        "narrator": "template-1",
        "acknowledged": None,
        "snoozed": None,
        "verdict": None,
        "link": f"/conversations/call-{name}?at={ago(95)}",
    } | changes


def listed(items: list[dict[str, Any]]) -> dict[str, Any]:
    """A list that ends with its first page."""
    return {"items": items, "next": None}


def some_alerts() -> list[dict[str, Any]]:
    """Open and over, of three severities."""
    return [
        alert("a-1"),
        alert(
            "a-2",
            severity="warning",
            rule="words-and-voice-disagree",
            metric="conflict",
            peak=0.31,
            queue="sales",
            fired=ago(20),
            since=ago(30),
        ),
        alert(
            "a-3",
            severity="info",
            rule="silent-after-distress",
            metric="silence",
            narrative=None,
            narrator=None,
            fired=ago(300),
            acknowledged={"at": ago(200), "by": "ada", "note": "calling back"},
        ),
        alert(
            "a-4",
            state="resolved",
            resolved=ago(900),
            since=ago(1_000),
            fired=ago(990),
            reason="recovered",
            verdict={"value": "right", "at": ago(800), "by": "ada", "note": None},
        ),
    ]


class FakeApi:
    """The state of the API; `app` serves it.

    Attributes:
        open: nobody needs a credential.
        posted: every change that was asked for: caller, method, path, body.
        alerts: by tenant.
        missing: paths that answer 404, as an older API would.
        away: every route answers `away_status`.
        refusals: requests with a wrong credential or none.
    """

    def __init__(self, *, open: bool = False) -> None:  # noqa: A002 - reads as what it is
        self.open = open
        self.people = dict(PEOPLE)
        self.posted: list[tuple[str, str, str, Any]] = []
        self.alerts: dict[str, list[dict[str, Any]]] = {"acme": some_alerts(), "other": []}
        self.dead = [
            {
                "id": "d-1",
                "sink": "webhook:crm",
                "attempts": 12,
                "dead": True,
                "error": "410 Gone",
                "next_attempt": None,
            }
        ]
        self.rules = some_rules()
        self.labels = [label("fed-up", ["has had enough", "asks for a refund"])]
        self.erased: list[dict[str, Any]] = []
        self.missing: tuple[str, ...] = ()
        self.away = False
        self.away_status = 503
        self.refusals = 0
        self.closing = asyncio.Event()
        self._news = asyncio.Condition()
        self._events: list[bytes] = []
        self.app = self._build()

    async def tell(self, transition: str, tenant: str, told: dict[str, Any]) -> None:
        """Send an alert event to whoever follows."""
        data = msgspec.json.encode({"transition": transition, "alert": told}).decode()
        async with self._news:
            frame = f"event: alert\nid: {len(self._events) + 1}\ndata: {data}\n\n"
            self._events.append(f"{tenant}\n{frame}".encode())
            self._news.notify_all()

    def caller(self, request: Request) -> dict[str, Any]:
        """Whoever asks; raises 401."""
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if sent in self.people:
            return self.people[sent]
        if self.open and not sent:
            return {"tenant": "acme", "name": "local", "rank": "admin", "scopes": []}
        self.refusals += 1
        raise HTTPException(401, "unknown credential")

    def _build(self) -> FastAPI:
        app = FastAPI()

        @app.exception_handler(HTTPException)
        async def problem(_: Request, exc: HTTPException) -> Response:
            detail = exc.detail
            extra = detail if isinstance(detail, dict) else {"detail": detail}
            return JSONResponse({"status": exc.status_code, **extra}, exc.status_code)

        @app.api_route("/v1/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
        async def any_route(path: str, request: Request) -> Response:
            if self.away:
                raise HTTPException(self.away_status, "not now")
            caller = self.caller(request)
            if path.startswith(self.missing) and self.missing:
                raise HTTPException(404, "Not Found")
            if path == "live":
                return StreamingResponse(
                    self._live(caller["tenant"]), media_type="text/event-stream"
                )
            if request.method == "GET":
                return JSONResponse(self.answer(caller, path, dict(request.query_params)))
            body = msgspec.json.decode(await request.body() or b"null")
            self.posted.append((caller["name"], request.method, path, body))
            return await self.change(caller, request.method, path, body)

        return app

    async def _live(self, tenant: str) -> AsyncIterator[bytes]:
        yield b"event: ready\nid: 0\ndata: {}\n\n"
        seen = len(self._events)
        while not self.closing.is_set():
            async with self._news:
                try:
                    async with asyncio.timeout(0.2):
                        await self._news.wait()
                except TimeoutError:
                    pass
                news, seen = self._events[seen:], len(self._events)
            for one in news:
                of, _, frame = one.partition(b"\n")
                if of.decode() == tenant:
                    yield frame

    def answer(self, caller: dict[str, Any], path: str, query: dict[str, str]) -> Any:
        """What GET gives."""
        mine = caller["tenant"] == "acme"
        if path in {"decisions", "consents", "erasures"} and caller["rank"] != "admin":
            raise HTTPException(403, "This needs the rank admin.")
        answers: dict[str, Callable[[], Any]] = {
            "me": lambda: caller,
            "conversations": lambda: listed(
                some_calls() if mine and query.get("state") != "live" else []
            ),
            "alerts": lambda: listed(self._alerts(caller["tenant"], query.get("state", ""))),
            "deliveries": lambda: listed(self.dead if mine else []),
            "rules": lambda: listed(self.rules),
            "trends": lambda: some_trends(query) if mine else listed([]),
            "summary": lambda: {
                "text": "Conversations with scores: 99." if mine else "No customer was scored.",
                "narrator": "summary-1+template-1",
            },
            "trends/changes": lambda: listed(some_changes() if mine else []),
            "decisions": lambda: listed(some_decisions(query) if mine else []),
            "consents": lambda: listed(some_consents() if mine else []),
            "erasures": lambda: listed(self.erased if mine else []),
            "search": lambda: found(some_moments() if mine else []),
            "labels": lambda: listed(self.labels if mine else []),
            **{
                f"labels/{one['name']}/moments": partial(labelled, one)
                for one in self.labels
                if mine
            },
            "system": lambda: some_system() if mine else {"now": ago(0)},
        }
        if path not in answers:
            raise HTTPException(404, "Not Found")
        return answers[path]()

    def _alerts(self, tenant: str, wanted: str) -> list[dict[str, Any]]:
        is_open = wanted == "open"
        return [
            one
            for one in self.alerts[tenant]
            if wanted in {"", one["state"]} or (is_open and one["state"] != "resolved")
        ]

    async def change(
        self, caller: dict[str, Any], method: str, path: str, body: dict[str, Any]
    ) -> Response:
        """What any other method does."""
        if caller["rank"] == "viewer":
            raise HTTPException(403, "This needs the rank supervisor; the credentials have viewer.")
        parts = path.split("/")
        if parts[0] in {"alerts", "labels"}:
            return (
                await self._change_alert(caller, parts[1], parts[2], body)
                if parts[0] == "alerts"
                else self._change_label(method, parts, body)
            )
        if path == "rules/backtest":
            return JSONResponse(some_backtest())
        if parts[0] == "rules" and method == "PUT":
            if not 0 <= body["enter"] <= 1:
                raise HTTPException(
                    422,
                    {  # type: ignore[arg-type]  # problem details, whole
                        "detail": "enter: between 0 and 1",
                        "errors": [{"field": "enter", "message": "between 0 and 1"}],
                    },
                )
            stored = {
                "name": parts[1],
                "version": 1,
                "valid_from": ago(-10),
                "author": caller["name"],
                "stored": ago(0),
                "shipped": False,
                "spec": body,
            }
            self.rules = [one for one in self.rules if one["name"] != parts[1]] + [stored]
            return JSONResponse(stored)
        if parts[0] == "rules":
            self.rules = [
                one | {"spec": None, "version": 1} if one["name"] == parts[1] else one
                for one in self.rules
            ]
            return Response(status_code=204)
        if parts[0] == "deliveries":
            self.dead = []
            return Response(status_code=202)
        if path == "erasures":
            receipt = {
                "id": "er-1",
                "kind": next(iter(body)),
                "at": ago(0),
                "by": caller["name"],
                "conversations": 1,
                "rows": {"window_scores": 120, "alerts": 2, "feed": 0},
                "keys": 3,
                "kafka_until": ago(-86_400),
            }
            self.erased.append(receipt)
            return JSONResponse(receipt, 201)
        raise HTTPException(404, "Not Found")

    def _change_label(self, method: str, parts: list[str], body: dict[str, Any]) -> Response:
        known = next((one for one in self.labels if one["name"] == parts[1]), None)
        if method == "PUT":
            made = label(parts[1], body["prompts"])
            self.labels = [one for one in self.labels if one is not known] + [made]
            return JSONResponse(made)
        if known is None:
            raise HTTPException(404, "No label of this tenant has this name.")
        if method == "DELETE":
            self.labels.remove(known)
            return Response(status_code=204)
        known["judged"]["holds" if body["holds"] else "holds_not"] += 1
        known["needed"] -= 1
        known["said"] = known.get("said", {}) | {body["start"]: body["holds"]}
        return JSONResponse(known)

    async def _change_alert(
        self, caller: dict[str, Any], name: str, what: str, body: dict[str, Any]
    ) -> Response:
        by = {"by": caller["name"], "at": ago(0)}
        for one in self.alerts[caller["tenant"]]:
            if one["id"] != name:
                continue
            if what == "acknowledge":
                one["acknowledged"] = by
            elif what == "snooze":
                minutes = body["minutes"]
                one["snoozed"] = by | {"until": ago(-60 * minutes)} if minutes else None
            else:
                one["verdict"] = by | {"value": body["verdict"], "note": body.get("note")}
            await self.tell("acknowledged", caller["tenant"], one)
            return JSONResponse(one)
        raise HTTPException(404, "no such alert")


def some_calls() -> list[dict[str, Any]]:
    """Two conversations that are over."""
    return [
        {
            "id": f"c-{n}",
            "queue": "billing",
            "language": "en",
            "started": ago(3_600 * n),
            "ended": ago(3_600 * n - 240),
            "participants": [],
        }
        for n in (1, 2)
    ]


def label(name: str, prompts: list[str]) -> dict[str, Any]:
    """A label of which two moments were judged."""
    return {
        "name": name,
        "prompts": prompts,
        "created": ago(900),
        "by": "alice",
        "judged": {"holds": 1, "holds_not": 1},
        "needed": 18,
    }


def some_moments() -> list[dict[str, Any]]:
    """Two, the nearest first; words of one were kept."""
    return [
        {
            "conversation": "call-a-1",
            "participant": "p-1",
            "role": "customer",
            "queue": "billing",
            "start": ago(95 + 30 * n),
            "end": ago(92 + 30 * n),
            "similarity": 0.62 - n / 5,
            "label": None if n else "anger",
            "distress": None if n else 0.81,
            "cues": [{"modality": "speech", "cue": "loud for this line"}],
            "imputed": bool(n),
            "words": [{"text": "I want my money back"}] if not n else [],
            "link": "/",
        }
        for n in range(2)
    ]


def found(items: list[dict[str, Any]]) -> dict[str, Any]:
    """What a search answers."""
    return {"items": items, "space": "s-1", "indexed": 120, "other_space": 3, "left_out": 0}


def labelled(known: dict[str, Any]) -> dict[str, Any]:
    """The same beside a label that is an order only."""
    said = known.get("said", {})
    items = [
        one | {"probability": None, "judged": said.get(one["start"])} for one in some_moments()
    ]
    judged = sum(known["judged"].values())
    missing = f"{judged} of 20 examples judged"
    return found(items) | {"label": known, "calibration": None, "missing": missing}


def some_rules() -> list[dict[str, Any]]:
    """Shipped, changed, and off."""
    known = {"valid_from": None, "author": None, "stored": None}
    return [
        {"name": "sustained-distress", "version": 0, "shipped": True, "spec": SPEC, **known},
        {
            "name": "words-and-voice-disagree",
            "version": 3,
            "shipped": False,
            "spec": SPEC
            | {"metric": "conflict", "severity": "warning", "summary": "Words and voice disagree"},
            **known,
        },
        {"name": "sharp-rise", "version": 2, "shipped": False, "spec": None, **known},
    ]


def some_trends(query: dict[str, str]) -> dict[str, Any]:
    """Three groups over the stretches that are asked for; one is withheld."""
    day = 86_400
    items = []
    for key, level in (("billing", 0.31), ("sales", 0.12), ("vip", None)):
        for n in range(7):
            hidden = level is None or (key == "sales" and n == 3)
            mean = 0.0 if level is None else level + 0.02 * (n % 3)
            items.append(
                {
                    "key": key,
                    "start": ago((7 - n) * day),
                    "end": ago((6 - n) * day),
                    "conversations": None if hidden else 12 + n,
                    "windows": None if hidden else 3_000,
                    "scored": None if hidden else 2_500,
                    "distress": None
                    if hidden
                    else {"mean": mean, "low": mean - 0.04, "high": mean + 0.04},
                    "emotions": None,
                    "arousal": None,
                    "valence": None,
                    "withheld": hidden,
                }
            )
    return {
        "group": query.get("group", "queue"),
        "bucket": query.get("bucket", "1d"),
        "floor": 5,
        "items": items,
    }


def some_changes() -> list[dict[str, Any]]:
    """News, none, and a group that is withheld."""
    return [
        {
            "key": "billing",
            "now": {"mean": 0.33, "conversations": 84},
            "before": {"mean": 0.25, "conversations": 90},
            "difference": 0.08,
            "low": 0.03,
            "high": 0.13,
            "news": True,
            "withheld": False,
        },
        {
            "key": "sales",
            "now": {"mean": 0.14, "conversations": 40},
            "before": {"mean": 0.13, "conversations": 44},
            "difference": 0.01,
            "low": -0.02,
            "high": 0.04,
            "news": False,
            "withheld": False,
        },
        {
            "key": "vip",
            "now": None,
            "before": None,
            "difference": None,
            "low": None,
            "high": None,
            "news": False,
            "withheld": True,
        },
    ]


def some_decisions(query: dict[str, str]) -> list[dict[str, Any]]:
    """One allowed, one refused."""
    facts = {
        "role": "agent",
        "region": "DE",
        "purpose": "quality",
        "notice": True,
        "consent": None,
    }
    return [
        {
            "conversation": "c-1",
            "participant": one,
            "modality": "speech",
            "at": ago(500),
            "allowed": allowed,
            "reason": reason,
            "profile": "eu",
            "facts": facts | {"role": role},
        }
        for one, allowed, reason, role in (
            ("p-2", False, "staff emotion from voice is off", "agent"),
            ("p-1", True, "customer, notice given", "customer"),
        )
        if query.get("allowed") != "false" or not allowed
    ]


def some_consents() -> list[dict[str, Any]]:
    """A withdrawal."""
    return [
        {
            "conversation": "c-1",
            "participant": "p-1",
            "at": ago(400),
            "consent": False,
            "notice": True,
            "deleted_windows": 18,
        }
    ]


def some_system() -> dict[str, Any]:
    """A service with some trouble."""
    return {
        "now": ago(0),
        "live": 12,
        "delay_s": {"median": 2.4, "max": 12.9},
        "stale": [{"conversation": "c-9", "participant": "p-1", "closed_until": ago(200)}],
        "modalities": {
            "speech": {"present": 0.93},
            "text": {"present": 0.71},
            "face": {"present": 0.0},
        },
        "partial": 0.0,
        "shed": {"face": 3},
        "abstained": 0.2,
        "versions": [
            {
                "scorer": "panel-1",
                "calibration": "shipped-3",
                "fusion": "late",
                "config": "sha256:0011223344556677",
                "windows": 9_120,
            }
        ],
        "outbox": {
            "kafka": {"waiting": 0, "oldest_s": None, "dead": 0},
            "webhook:crm": {"waiting": 4, "oldest_s": 95.0, "dead": 1},
        },
        "schema": "0004",
    }


def some_backtest() -> dict[str, Any]:
    """Five alerts over a few hours."""
    return {
        "from": ago(86_400),
        "to": ago(0),
        "conversations": 12,
        "hours": 3.4,
        "alerts": 5,
        "alerts_per_hour": 1.47,
        "flaps": 0,
        "delay_s": {"median": 12.0, "p90": 14.0},
        "reviewed": {"right": 3, "wrong": 1, "unclear": 0, "precision": 0.75},
        "episodes": [
            {
                "conversation": f"c-{n}",
                "participant": "p-1",
                "since": ago(3_600 * n + 10),
                "fired": ago(3_600 * n),
                "resolved": ago(3_600 * n - 60),
                "peak": 0.7 + n / 50,
            }
            for n in range(1, 6)
        ],
        "thresholds": [
            {
                "enter": enter / 100,
                "exit": enter / 100 - 0.15,
                "alerts_per_hour": round(8 * (1 - enter / 100) ** 2, 2),
                "flaps": 1 if enter < 50 else 0,
            }
            for enter in range(30, 95, 5)
        ],
        "suggested": {"enter": 0.7, "exit": 0.55, "alerts_per_hour": 0.9},
    }
