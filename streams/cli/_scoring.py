"""What commands that score put together from the settings."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.experts.threads import limit_threads
from inference.fusion.artefact import Fusers
from inference.fusion.prior import DeploymentPrior
from inference.labels import Modality
from inference.panel import Choice, load_experts
from inference.scorer import Scorer
from storage.cache import Cache
from storage.digests import Digests
from storage.results import ResultStore
from storage.rules import read_every_rule
from storage.upgrade import server_time_ns
from storage.values import LIVE_RUN
from storage.withdrawal import PolicyStore
from streams.cli._methods import open_methods
from streams.cli._telling import open_teller
from streams.policy import ConversationGate, new_gate
from streams.serving.api.health import Check
from streams.settings import FusionName, Settings
from streams.telemetry import logger
from streams.windows.aligner import Aligner
from streams.worker.alerting import Alerting, end_alerts
from streams.worker.kafka_output import KafkaOutput
from streams.worker.metrics import WorkerMetrics
from streams.worker.relay import Relay
from streams.worker.rule_reader import RuleReader
from streams.worker.scoring_thread import ScoringThread
from streams.worker.service import Policy, Worker, WorkerOptions, grid, timing
from streams.worker.sinks.alertmanager import Alertmanager
from streams.worker.sinks.http_post import open_client
from streams.worker.sinks.target import Target
from streams.worker.sinks.webhook import Webhook


def open_scorer(settings: Settings) -> Scorer:
    """Load the experts of the profile and of the chosen models; takes seconds."""
    limit_threads(settings.torch_threads)
    return Scorer(
        load_experts(expert_choice(settings)),
        keep_quotes=settings.keep_transcripts,
        config=settings.scoring_digest,
        fusers=open_fusers(settings),
        methods=open_methods(settings),
    )


def open_fusers(settings: Settings) -> Fusers:
    """The calibration of fusion that the settings ask for. Raises FusionWeightsError."""
    return Fusers.load(
        settings.fusion,
        settings.tenant_fusion,
        DeploymentPrior(settings.neutral_share, settings.distress_base_rate),
        Path(settings.calibration) if settings.calibration else None,
        Path(settings.fusion_weights) if settings.fusion_weights else None,
    )


def fused_by(settings: Settings, fusion: FusionName | None, weights: Path | None) -> Settings:
    """`settings` with what a command line says of fusion, for every tenant; None says nothing."""
    said: dict[str, object] = {}
    if fusion is not None:
        said |= {"fusion": fusion, "tenant_fusion": {}}
    if weights is not None:
        said["fusion_weights"] = str(weights)
    return settings.model_copy(update=said)


def expert_choice(settings: Settings) -> Choice:
    """Which experts the settings ask for."""
    return Choice(
        profile=settings.profile.value,
        models_dir=settings.models_dir,
        threads=settings.torch_threads,
        device=settings.device,
        text_plus=settings.text_plus,
        features=wants_features(settings),
        models={
            Modality.SPEECH: settings.speech_model,
            Modality.TEXT: settings.text_model,
            Modality.FACE: settings.face_model,
        },
    )


def wants_features(settings: Settings) -> bool:
    """Whether some method reads more of a window than what experts say of it."""
    fusions = {settings.fusion, *settings.tenant_fusion.values()}
    return settings.search or settings.imputation != "none" or bool(fusions - {"late", "adaptive"})


@dataclass(frozen=True, slots=True)
class ScoringRun:
    """A worker and its relay while they run."""

    worker: Worker
    relay: Relay
    task: asyncio.Task[None]

    @property
    def metrics(self) -> WorkerMetrics:
        """What the worker counts."""
        return WorkerMetrics(self.worker, self.relay)

    @property
    def checks(self) -> tuple[Check, ...]:
        """What `/readyz` asks."""
        return (
            Check("broker", self.worker.check_broker),
            Check("database", self.worker.check_database),
            Check("sinks", self.relay.check),
        )

    async def until(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set; raises what ended the run before."""
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({self.task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if self.task.done():
            self.task.result()


@asynccontextmanager
async def scoring(
    settings: Settings,
    *,
    scorer: Scorer,
    engine: AsyncEngine,
    cache: Cache,
    output: KafkaOutput,
    data_dir: Path,
) -> AsyncIterator[ScoringRun]:
    """Run a worker and a relay; on the way out commit what is done and leave the group.

    The experts have run once before the worker joins its group, and before anybody can ask
    whether it is ready.
    """
    rules = RuleReader(partial(read_every_rule, engine), partial(server_time_ns, engine))
    teller = await asyncio.to_thread(open_teller, settings, "worker")
    thread = ScoringThread(
        scorer, LIVE_RUN, keep_words=settings.keep_transcripts, alerts=Alerting(rules, teller)
    )
    logger("worker").info("experts_warm", seconds=round(await thread.warm_up(), 2))
    client = open_client()
    relay = Relay(
        engine,
        cache,
        output,
        targets=alert_targets(settings, client),
        public_url=settings.public_url,
    )
    keyed = digests(settings)
    worker = Worker(
        WorkerOptions.of(settings, run=LIVE_RUN, data_dir=data_dir),
        scoring=thread,
        look_back_ns=scorer.look_back_ns,
        policy=Policy(
            new_gate=gate_maker(settings),
            digest=keyed.subject,
            records=PolicyStore(engine, keyed),
        ),
        results=ResultStore(engine, end_alerts=end_alerts, digests=keyed),
        sink=output,
        live=relay,
    )

    async def all_of_it() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(worker.run(), name="worker")
            tasks.create_task(relay.run(), name="relay")
            tasks.create_task(rules.run(), name="rules")

    task = asyncio.create_task(all_of_it(), name="scoring")
    try:
        yield ScoringRun(worker, relay, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        thread.close()
        await client.aclose()


def alert_targets(settings: Settings, client: httpx.AsyncClient) -> list[Target]:
    """Programs outside that the settings name."""
    targets: list[Target] = [
        Webhook(
            name,
            webhook.url.get_secret_value(),
            webhook.key,
            client=client,
            tenant=webhook.tenant or None,
            public_url=settings.public_url,
        )
        for name, webhook in settings.webhooks.items()
    ]
    if url := settings.alertmanager_url.get_secret_value():
        targets.append(Alertmanager(url, client=client, public_url=settings.public_url))
    return targets


def gate_maker(settings: Settings) -> Callable[[str], ConversationGate]:
    """A new gate for each conversation, under the profile of its tenant."""
    return new_gate(settings.policy, settings.tenant_policy)


def digests(settings: Settings) -> Digests:
    """Digests under the secret of the settings."""
    return Digests(settings.secret.get_secret_value())


def open_aligner(settings: Settings, scorer: Scorer, run: str) -> Aligner:
    """An aligner for records that are all at hand."""
    return Aligner(
        run=run,
        grid=grid(settings),
        timing=timing(settings),
        look_back_ns=scorer.look_back_ns,
        new_gate=gate_maker(settings),
    )
