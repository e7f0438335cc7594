"""Trains the small narrator on sentences made from records: as many as one likes, all true."""

import dataclasses
import platform
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import torch
from torch import Tensor, nn

from inference.narrator.evidence_tokens import EvidenceRows, batched, tokenise
from inference.narrator.flamingo import Flamingo
from inference.narrator.frozen import (
    ADAPTER,
    AdapterConfig,
    adapter,
    open_checkpoint,
    save_adapter,
)
from inference.narrator.incident import IncidentRecord
from inference.narrator.model_narrator import Pieces
from inference.narrator.script import scripted
from inference.narrator.small import SmallConfig, SmallModel, save_small
from inference.narrator.telling import Point
from inference.narrator.template import chosen
from inference.narrator.vocabulary import Vocabulary
from inference.networks.folder import rounded
from inference.training.loop import History, Plan, fit
from inference.training.narrator_records import records

VOCABULARY: Final = 2_048
VOCABULARY_TEXTS: Final = 12_000
BATCH: Final = 32
"""On one core twice the size costs nearly three times as long."""
BATCHES: Final = 50
"""Of an epoch; every epoch tells records that none before it told."""
JUDGED: Final = 128
"""Records of held-out combinations, by which the best epoch is chosen."""
LEFT_OUT: Final = 0.08
"""Of points: what is told of equal records differs a little."""
EPOCHS: Final = 80
LEARNING_RATE: Final = 1.5e-3
CHECKPOINT: Final = "training.pt"
JUDGED_SEED: Final = 1_000_003
LICENCE: Final = "Apache-2.0"
DATA: Final = "records drawn at random, and sentences made from them"


@dataclass(frozen=True, slots=True)
class Example:
    """One record as the network sees it, and the pieces of what is to be said."""

    rows: EvidenceRows
    pieces: Tensor


class Batch(NamedTuple):
    """Examples side by side, padded."""

    rows: EvidenceRows
    pieces: Tensor
    mask: Tensor


def told(record: IncidentRecord, lottery: random.Random) -> str:
    """A script of the record: the points of the template, some left out, in any wording."""
    sentences: list[list[Point]] = []
    for sentence in chosen(record):
        left = [point for point in sentence if lottery.random() >= LEFT_OUT]
        sentences.append(left or sentence)
    return scripted(sentences, record, lottery.choice)


def fit_vocabulary(seed: int, size: int = VOCABULARY, texts: int = VOCABULARY_TEXTS) -> Vocabulary:
    """Pieces for scripts, and for transcripts such as the records have."""
    lottery = random.Random(seed)  # noqa: S311 - wordings, not secrets

    def lines() -> Iterator[str]:
        for record in islice(records(seed, held_out=False), texts):
            yield told(record, lottery)
            yield from (span.text for span in record.spans)

    return Vocabulary.fit(lines(), size)


class Tellings:
    """Batches of records that nobody saw before; implements `inference.training.loop.Losses`.

    Args:
        model: that reads evidence and writes.
        pieces: of its decoder.
        longest: pieces of a text; longer ones are left out.
        batches: of an epoch.
    """

    def __init__(self, model: Flamingo, pieces: Pieces, longest: int, batches: int) -> None:
        self._model = model
        self._pieces = pieces
        self._longest = longest
        self._batches = batches
        self._drawn: list[Batch] = []
        self._judged = self._batched(JUDGED_SEED, JUDGED // BATCH, held_out=True)

    def batches(self, generator: torch.Generator) -> int:
        """Begin with other records."""
        seed = int(torch.randint(2**31, (), generator=generator))
        drawn = self._batched(seed, self._batches, held_out=False)
        order = torch.randperm(len(drawn), generator=generator)
        self._drawn = [drawn[place] for place in order.tolist()]
        return len(drawn)

    def loss(self, batch: int, generator: torch.Generator) -> Tensor:
        """Of the records of one batch."""
        del generator
        return self._loss(self._drawn[batch])

    def judge(self) -> float:
        """Mean loss on the held-out combinations."""
        losses = [float(self._loss(batch)) for batch in self._judged]
        return sum(losses) / len(losses)

    def _loss(self, batch: Batch) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self._model.loss(*batch)

    def _examples(self, seed: int, *, held_out: bool) -> Iterator[Example]:
        lottery = random.Random(seed)  # noqa: S311 - wordings, not secrets
        for record in records(seed, held_out=held_out):
            pieces = self._pieces.encode(told(record, lottery))
            if len(pieces) <= self._longest:
                rows = tokenise(record, self._pieces.pieces)
                yield Example(rows, torch.tensor(pieces))

    def _batched(self, seed: int, count: int, *, held_out: bool) -> list[Batch]:
        """Texts of like length together: a third less is padded, and read for nothing."""
        drawn = list(islice(self._examples(seed, held_out=held_out), count * BATCH))
        drawn.sort(key=lambda example: len(example.pieces))
        return [_side_by_side(drawn[at : at + BATCH]) for at in range(0, len(drawn), BATCH)]


def _side_by_side(examples: Sequence[Example]) -> Batch:
    texts = [one.pieces for one in examples]
    pad = torch.nn.utils.rnn.pad_sequence
    return Batch(
        batched([one.rows for one in examples]),
        pad(texts, batch_first=True),
        pad([torch.ones_like(text, dtype=torch.bool) for text in texts], batch_first=True),
    )


def train_narrator(
    folder: Path,
    plan: Plan,
    *,
    sizes: SmallConfig | None = None,
    batches: int = BATCHES,
    texts: int = VOCABULARY_TEXTS,
    on_epoch: Callable[[], None] = lambda: None,
) -> History:
    """Train from scratch and write weights, vocabulary and history into `folder`.

    An interrupted training goes on from its last epoch when it is called again.

    Args:
        folder: made if need be; the checkpoint lies in it until the end.
        plan: its checkpoint is ignored.
        sizes: of another model than the shipped one; vocabulary is that asked for.
        batches: of an epoch.
        texts: that the vocabulary is fitted on.
        on_epoch: called after each.

    Raises:
        TrainingError: the checkpoint is of another training.
    """
    sizes = sizes or SmallConfig(
        name="narrator", version=1, data="", licence="", training={}, vocabulary=VOCABULARY
    )
    vocabulary = fit_vocabulary(plan.seed, sizes.vocabulary, texts)
    config = msgspec.structs.replace(
        sizes,
        vocabulary=len(vocabulary),
        data=DATA,
        licence=LICENCE,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        model = SmallModel(config)
    tellings = Tellings(model.flamingo, vocabulary, config.longest, batches)
    plan = dataclasses.replace(plan, checkpoint=folder / CHECKPOINT)
    history = fit(model, tellings, plan, on_epoch)
    rounded(model)
    config = msgspec.structs.replace(config, training=_made(history, plan, model, batches))
    save_small(folder, model, vocabulary, config)
    history.save(folder)
    return history


def train_adapter(
    folder: Path,
    plan: Plan,
    *,
    batches: int = BATCHES,
    on_epoch: Callable[[], None] = lambda: None,
) -> History:
    """Train what lets the frozen language model in `folder` read evidence; write it beside it.

    Args:
        folder: a causal language model of transformers.
        plan: its checkpoint is ignored: it lies beside what is written.
        batches: of an epoch.
        on_epoch: called after each.

    Raises:
        WeightsError: there is no such model.
        TrainingError: the checkpoint is of another training.
    """
    checkpoint = open_checkpoint(folder)
    config = AdapterConfig(
        name="narrator-adapter",
        version=1,
        data=DATA,
        licence=LICENCE,
        training={},
        decoder=checkpoint.digest,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        model = adapter(checkpoint, config)
    tellings = Tellings(model, checkpoint.pieces, config.longest, batches)
    plan = dataclasses.replace(plan, checkpoint=folder / ADAPTER / CHECKPOINT)
    history = fit(model, tellings, plan, on_epoch)
    rounded(model)
    made = _made(history, plan, model, batches)
    save_adapter(folder, model, msgspec.structs.replace(config, training=made))
    history.save(folder / ADAPTER)
    return history


def _made(history: History, plan: Plan, model: nn.Module, batches: int) -> dict[str, Any]:
    best = history.epochs[history.best]
    return {
        "seed": plan.seed,
        "epochs": len(history.epochs),
        "kept_epoch": history.best + 1,
        "records": len(history.epochs) * batches * BATCH,
        "learning_rate": plan.learning_rate,
        "loss": round(best.judged, 4),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        **{name: version(name) for name in ("torch", "tokenizers")},
        "python": platform.python_version(),
    }
