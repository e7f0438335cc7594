"""Which words moved a checkpoint: shares that sum to what the words changed."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.evidence import Evidence
from inference.experts.huggingface.opening import open_expert
from inference.experts.huggingface.opinion import Opinion
from inference.experts.huggingface.source import locate
from inference.experts.huggingface.text import CheckpointTextExpert
from inference.labels import Emotion, Modality, Role
from inference.units import SECOND_NS
from inference.window import TextSpan, WindowInput
from tests import checkpoints

LINE = "i am so very angry with you about this thing"
LABELS = ["joy", "anger", "neutral", "sadness"]


def opened(folder: Path, labels: list[str] = LABELS) -> CheckpointTextExpert:
    source = locate(str(checkpoints.words_checkpoint(folder / "words", labels)), folder)
    expert = open_expert(Modality.TEXT, source, "default", folder, 1)
    assert isinstance(expert, CheckpointTextExpert)
    return expert


def evidence(expert: CheckpointTextExpert, text: str, begin_s: int = 0) -> Evidence:
    words = (TextSpan(begin_s * SECOND_NS, (begin_s + 2) * SECOND_NS, text, "en", None),)
    window = WindowInput(
        tenant="acme",
        run="live",
        conversation="c-1",
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=0,
        end_ns=3 * SECOND_NS,
        words=words,
    )
    (found,) = expert.assess([window])
    assert isinstance(found, Evidence)
    return found


@pytest.mark.parametrize("label", [Emotion.ANGER, Emotion.JOY, None])
def test_shares_sum_to_what_the_words_changed(tmp_path: Path, label: Emotion | None) -> None:
    attribution = opened(tmp_path).attribution
    assert attribution is not None
    model, words = attribution.network.model, LINE.split()
    inputs = attribution.tokenizer(LINE, return_tensors="pt")
    whole = model.get_input_embeddings()(inputs.input_ids)
    nothing = whole.clone()
    nothing[0, 1:-1] = 0.0  # all but [CLS] and [SEP]
    with torch.no_grad():
        said, silent = (
            attribution._target(
                model(inputs_embeds=one, attention_mask=inputs.attention_mask).logits, label
            ).item()
            for one in (whole, nothing)
        )
    shares = attribution.shares(words, label)
    assert shares.shape == (len(words),)
    assert shares.sum() == pytest.approx(said - silent, abs=0.02)
    assert np.abs(shares).max() > 0


def test_words_that_are_not_read_have_no_share(tmp_path: Path) -> None:
    attribution = opened(tmp_path).attribution
    assert attribution is not None
    words = [*("very",) * 200, *LINE.split()]
    shares = attribution.shares(words, Emotion.ANGER)
    assert shares[0] == 0.0, "the oldest words do not fit into the network"
    assert np.abs(shares[-10:]).max() > 0


@dataclass(frozen=True)
class Convinced:
    """A reader who hears anger in everything."""

    version: str = "convinced"
    labels: tuple[Emotion, ...] = (Emotion.ANGER, Emotion.JOY)
    weight_limit: float = 0.3

    def read(self, text: str) -> Opinion:
        return Opinion(np.log([0.9, 0.1]), 2.0 if text else None)


def test_a_checkpoint_quotes_what_moved_it_and_names_the_kind(tmp_path: Path) -> None:
    expert = replace(opened(tmp_path), reader=Convinced())
    assert expert.attribution is not None
    moved = expert.attribution.shares(LINE.split(), Emotion.ANGER)
    cues = evidence(expert, LINE).cues
    assert moved.max() > 0
    assert LINE.split()[int(moved.argmax())] in cues[0].cue
    assert {cue.kind for cue in cues} <= {"words of anger", "words of distress"}
    assert all(cue.quotes and cue.cue.startswith('says "') for cue in cues)
    assert evidence(expert, LINE, begin_s=-5).cues == (), "said before the window"
    assert evidence(replace(expert, attribution=None), LINE).cues == ()


def test_a_checkpoint_that_is_not_sure_explains_nothing(tmp_path: Path) -> None:
    expert = opened(tmp_path)
    found = evidence(expert, "it is")
    assert np.exp(found.log_probs).max() < 0.3
    assert found.cues == ()
