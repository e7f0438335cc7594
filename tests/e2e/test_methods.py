"""Every optional method, switched on in the running worker by settings alone."""

import asyncio
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from inference.contract import from_json
from inference.labels import Modality
from inference.score import WindowScore
from storage.engine import open_engine
from storage.schema import alerts, moments
from storage.scores import read_scores
from storage.values import ConversationKey
from streams.demo import BUNDLED, BUNDLED_CHANNELS
from tests.e2e.running import Deployment, until
from tests.e2e.test_flow import LIVE, all_ended, at_rest, check_everything_agrees, stored

OPTIONS = ("--channels", BUNDLED_CHANNELS)
WORDS = """\
call 1 customer 4.0 7.0 hello i am calling about my order
call 1 customer 20.0 24.0 this is the third time i am calling and nobody helps me
call 1 customer 30.0 34.0 i am so angry i want my money back now
"""
FUSIONS = ("adaptive", "feature", "hybrid", "evidential")
"""Of tenants; the default is `attention` here, and `late` in every other test."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_each_tenant_has_its_fusion_and_what_flows_equals_the_file_at_rest(
    deployment: Deployment,
) -> None:
    tenants = {f"tenant-{fusion}": fusion for fusion in FUSIONS}
    switch_on(deployment, context="recurrent", imputation="diffusion", narrator="small")
    deployment.settings |= {
        "AFFECTSTREAM_FUSION": "attention",
        "AFFECTSTREAM_TENANT_FUSION": json.dumps(tenants),
    }
    scores = played(deployment, ["acme", *tenants])
    check_everything_agrees(deployment, [BUNDLED], ["call-acme"], options(deployment))
    for tenant, fusion in {"acme": "attention", **tenants}.items():
        assert {score.versions.fusion.split("-")[0] for score in scores[tenant]} == {fusion}
        check_named(scores[tenant], "alignment", "context", "imputation", "narrator")
    check_moments(deployment, scores)
    told = [row for row in stored(deployment, alerts) if row["tenant"] == "acme"]
    assert told
    assert all(row["narrative"] and row["narrator"] for row in told)


@pytest.mark.parametrize(
    ("context", "imputation"), [("filter", "ridge"), ("none", "translator"), ("none", "cgan")]
)
def test_what_stands_beside_a_score_changes_none_of_its_values(
    deployment: Deployment, context: str, imputation: str
) -> None:
    switch_on(deployment, context=context, imputation=imputation, narrator="none")
    scores = played(deployment, ["acme"])["acme"]
    check_everything_agrees(deployment, [BUNDLED], ["call-acme"], options(deployment))
    named = ["alignment", "imputation"] + ["context"] * (context != "none")
    check_named(scores, *named)
    assert {modality for score in scores for modality in score.expected} == {"speech", "text"}
    assert any(score.context for score in scores) == (context != "none")
    nothing_on = replace(deployment, settings={})
    lines = at_rest(nothing_on, BUNDLED, "call-acme", options(deployment))
    plain = [from_json(line.encode()) for line in lines]
    assert [raw(score) for score in scores] == [raw(score) for score in plain]
    assert all(score.versions.methods.keys() <= {"narrator"} for score in plain)


def options(deployment: Deployment) -> tuple[str, ...]:
    """With words: a method that compares modalities wants more than one."""
    words = deployment.folder / "words.stm"
    words.write_text(WORDS)
    return (*OPTIONS, "--transcript", str(words))


def switch_on(deployment: Deployment, *, context: str, imputation: str, narrator: str) -> None:
    deployment.settings |= {
        "AFFECTSTREAM_CONTEXT": context,
        "AFFECTSTREAM_IMPUTATION": imputation,
        "AFFECTSTREAM_NARRATOR": narrator,
        "AFFECTSTREAM_SEARCH": "true",
    }


def played(deployment: Deployment, tenants: Sequence[str]) -> Mapping[str, list[WindowScore]]:
    """The bundled call for each tenant, through one worker; its scores by tenant."""
    with deployment.started("worker", name="worker") as worker:
        for tenant in tenants:
            sender = replace(deployment, settings={"AFFECTSTREAM_TENANT": tenant})
            whole = ("--speed", "10", "--conversation", f"call-{tenant}", *options(deployment))
            sender.run("ingest", BUNDLED, *whole)
        ids = [f"call-{tenant}" for tenant in tenants]
        until(lambda: all_ended(deployment, ids), "every call ended", worker)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    return {tenant: asyncio.run(scores_of(deployment, tenant)) for tenant in tenants}


async def scores_of(deployment: Deployment, tenant: str) -> list[WindowScore]:
    engine = open_engine(deployment.database_url)
    try:
        return await read_scores(engine, ConversationKey(tenant, f"call-{tenant}"), LIVE)
    finally:
        await engine.dispose()


def check_named(scores: Sequence[WindowScore], *methods: str) -> None:
    """With name, number and digest where there are weights."""
    assert len(scores) > 50
    for score in scores:
        assert sorted(score.versions.methods) == sorted(methods)
        assert all(score.versions.methods.values())


def check_moments(deployment: Deployment, scores: Mapping[str, Sequence[WindowScore]]) -> None:
    """One for each window in which the space reads anything, of length one; it knows no faces."""
    kept = {
        (row["tenant"], row["participant"], row["start_ns"]): row
        for row in stored(deployment, moments)
    }
    present = {
        (tenant, score.participant, score.start_ns): score
        for tenant, of_tenant in scores.items()
        for score in of_tenant
        if score.modalities[Modality.SPEECH].present or score.modalities[Modality.TEXT].present
    }
    assert kept.keys() == present.keys()
    for key, row in kept.items():
        assert np.linalg.norm(row["vector"]) == pytest.approx(1, abs=1e-4)
        assert row["space"] == present[key].versions.methods["alignment"]


def raw(score: WindowScore) -> tuple[object, ...]:
    """What no method beside the score may touch."""
    return (
        score.start_ns,
        score.participant,
        score.emotions,
        score.distress,
        score.decision,
        score.modalities,
        score.conflict,
        score.vacuity,
        score.evidence,
        score.change,
    )
