"""Narrators: what they say, what is taken out of it, and what a transcript cannot make them say."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from inference.evaluation.narrator import evaluate_narrator
from inference.evaluation.narrator_incidents import ORDERS, incidents
from inference.labels import Emotion, Modality, Role
from inference.narrator.check import check
from inference.narrator.choice import open_narrator
from inference.narrator.contract import Clause, joined
from inference.narrator.cues import CueKind, kind_of
from inference.narrator.evidence_tokens import batched, tokenise
from inference.narrator.flamingo import Flamingo, greedy
from inference.narrator.frozen import FrozenDecoder
from inference.narrator.incident import (
    CrowdedRecordError,
    CueFact,
    Figure,
    FigureName,
    IncidentRecord,
    Kind,
    SpanFact,
    WindowFact,
)
from inference.narrator.model_narrator import ModelNarrator
from inference.narrator.script import performed
from inference.narrator.small import SmallConfig
from inference.narrator.template import TemplateNarrator
from inference.narrator.written import QUOTED_MOST, clock, excerpt
from inference.networks.folder import WeightsError
from inference.training.loop import Plan
from inference.training.narrator import fit_vocabulary, train_adapter, train_narrator
from inference.training.narrator_records import is_held_out
from inference.units import SECOND_NS

pytestmark = pytest.mark.unit

TINY = SmallConfig(
    name="tiny",
    version=1,
    data="",
    licence="",
    training={},
    vocabulary=700,
    width=16,
    layers=2,
    hidden=16,
    asking_hidden=16,
    longest=160,
)
STEP = Plan(epochs=1, seed=3)


def at(second: float) -> int:
    return round(second * SECOND_NS)


def seen(place: int, label: Emotion | None, distress: float) -> WindowFact:
    return WindowFact(
        id=f"w{place}",
        start_ns=at(190 + place),
        end_ns=at(193 + place),
        label=label,
        emotions={label or Emotion.NEUTRAL: 0.7},
        distress=distress,
        weights={Modality.SPEECH: 0.7, Modality.TEXT: 0.3},
        vacuity=0.5,
    )


RECORD = IncidentRecord(
    kind=Kind.ALERT,
    rule="sustained-distress",
    metric="smoothed",
    severity="critical",
    role=Role.CUSTOMER,
    participant="p-1",
    windows=(
        seen(1, Emotion.NEUTRAL, 0.1),
        seen(2, Emotion.ANGER, 0.55),
        seen(3, Emotion.ANGER, 0.7),
        seen(4, None, 0.6),
    ),
    cues=(
        CueFact(id="c1", modality=Modality.TEXT, text="complaint phrase", at_ns=at(192)),
        CueFact(
            id="c2",
            modality=Modality.SPEECH,
            text="pitch +2.3 sd against own first minute",
            at_ns=at(193),
        ),
    ),
    figures=(
        Figure(id="f1", name=FigureName.PEAK, value=0.7),
        Figure(id="f2", name=FigureName.DWELL_S, value=6),
    ),
)
WITH_WORDS = replace(
    RECORD,
    spans=(SpanFact(id="s1", start_ns=at(192), end_ns=at(194), text="Three times I called."),),
)
HONEST = (
    Clause("the customer would be called angry from 3:12 to 3:16", ("w2", "w3")),
    Clause("at the strongest moment, 3:13, the customer would be called angry", ("w3",)),
    Clause("the pitch was above usual at 3:13", ("c2",)),
    Clause("the estimate of distress was 70 % at its highest", ("f1",)),
    Clause("this lasted 6 seconds", ("f2",)),
    Clause("the estimate rests mostly on the voice", ("w3",)),
    Clause("the evidence is fair", ("w3",)),
)
PLANTED = {
    "another time": ("the customer would be called angry from 3:12 to 3:17", ("w2", "w3")),
    "another moment": ("the pitch was above usual at 3:12", ("c2",)),
    "a stretch that does not bear it out": (
        "the customer would be called angry from 3:11 to 3:16",
        ("w1", "w3"),
    ),
    "another label": ("the customer would be called sad from 3:12 to 3:16", ("w2", "w3")),
    "another participant": ("the agent would be called angry from 3:12 to 3:16", ("w2", "w3")),
    "another id": ("the customer (p-2) would be called angry at 3:12", ("w2",)),
    "an invented cue": ("a smile was seen at 3:13", ("c2",)),
    "an invented number": ("the estimate of distress was 80 % at its highest", ("f1",)),
    "a number of something else": ("this lasted 70 seconds", ("f1",)),
    "not the strongest": (
        "at the strongest moment, 3:12, the customer would be called angry",
        ("w2",),
    ),
    "another modality": ("the estimate rests mostly on the words", ("w3",)),
    "one modality of two": ("the estimate rests on the voice alone", ("w3",)),
    "more certainty": ("the evidence is firm", ("w3",)),
    "words that nobody kept": ('the customer said "three times I called"', ("w2",)),
    "an inner state": ("the customer was angry from 3:12 to 3:16", ("w2", "w3")),
    "a reason": (
        "the customer would be called angry from 3:12 to 3:16 because of the bill",
        ("w2", "w3"),
    ),
    "a denial": ("the customer would not be called angry from 3:12 to 3:16", ("w2", "w3")),
    "no citation": ("the customer would be called angry from 3:12 to 3:16", ()),
    "a citation of nothing": ("the customer would be called angry at 3:12", ("w2", "w99")),
    "a citation of something else": ("the pitch was above usual", ("c1",)),
}


def test_what_the_record_bears_out_stays() -> None:
    verdict = check(HONEST[:1], RECORD)
    assert verdict.kept == (replace(HONEST[0], opens=True),)
    assert len(check(HONEST, RECORD).kept) == len(HONEST)


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_error_is_removed_and_the_rest_stays(
    planted: tuple[str, tuple[str, ...]],
) -> None:
    wrong = Clause(*planted)
    verdict = check([HONEST[0], wrong, *HONEST[2:]], RECORD)
    assert verdict.untrue == (wrong,)
    assert len(verdict.kept) == len(HONEST) - 1


def test_a_quotation_must_be_the_transcripts_own_words() -> None:
    true = Clause('the customer said "Three times I called." at 3:12', ("s1",))
    assert check([true], WITH_WORDS).kept
    assert not check([replace(true, text=true.text.replace("Three", "Ten"))], WITH_WORDS).kept
    assert not check([replace(true, evidence=("w2",))], WITH_WORDS).kept


def test_saying_it_twice_is_cut_but_not_untrue() -> None:
    again = replace(HONEST[0], text="listeners would call the client angry from 3:12 to 3:16")
    verdict = check([HONEST[0], again], RECORD)
    assert verdict.repeated == (again,)
    assert not verdict.untrue
    assert not verdict.enough


def test_a_sentence_whose_beginning_went_begins_with_what_is_left() -> None:
    wrong = Clause("the evidence is thin", ("w3",), opens=True)
    kept = check([HONEST[0], wrong, HONEST[2]], RECORD).kept
    assert joined(kept) == (
        "The customer would be called angry from 3:12 to 3:16. The pitch was above usual at 3:13."
    )


def test_the_template_tells_an_alert_in_two_sentences() -> None:
    assert TemplateNarrator().tell(RECORD).text == (
        "The customer would be called distressed from 3:12 to 3:17, and at the strongest moment, "
        "3:13, the customer would be called angry. The pitch was above usual at 3:13; the words "
        "held a complaint at 3:12; the estimate rests mostly on the voice; and the evidence is "
        "fair."
    )


def test_the_template_tells_a_shift_in_figures() -> None:
    figures = (
        Figure(id="f1", name=FigureName.CONVERSATIONS, value=42),
        Figure(id="f2", name=FigureName.HOURS, value=7.25),
        Figure(id="f3", name=FigureName.LABELLED_SHARE, value=0.05, label=Emotion.ANGER),
    )
    assert TemplateNarrator().tell(IncidentRecord(kind=Kind.SHIFT, figures=figures)).text == (
        "Conversations with scores: 42, and 7.2 hours of conversation were scored. "
        "5 % of the windows would be called angry."
    )


@pytest.mark.parametrize("order", ORDERS)
def test_what_a_transcript_orders_is_quoted_or_left_out(order: str) -> None:
    spans = (SpanFact(id="s1", start_ns=at(192), end_ns=at(194), text=order),)
    plain = replace(RECORD, cues=())
    said = TemplateNarrator().tell(replace(plain, spans=spans, rule=order))
    unsaid = TemplateNarrator().tell(plain)
    (quoting,) = (clause.text for clause in said.clauses if clause.evidence == ("s1",))
    assert quoting.count('"') == 2
    others = [clause.text for clause in said.clauses if clause.text != quoting]
    assert others == [clause.text for clause in unsaid.clauses]


def test_an_excerpt_is_short_cut_between_words_and_cannot_close_its_own_quotation() -> None:
    long = excerpt("word " * 100)
    assert long is not None
    assert len(long) <= QUOTED_MOST
    assert long.endswith("word")
    assert excerpt('he said "no" [w1]<b>\x00') == "he said no w1 b"
    assert excerpt(" \n[] ") is None


def test_clocks_count_from_the_beginning() -> None:
    assert [clock(at(second)) for second in (-5, 0, 59.9, 61, 3_661)] == [
        *("0:00", "0:00", "0:59", "1:01", "1:01:01"),
    ]


def test_a_record_holds_no_more_than_the_reader_and_no_id_twice() -> None:
    with pytest.raises(CrowdedRecordError, match=r"25 windows: .* at most 24"):
        IncidentRecord(
            kind=Kind.ALERT, windows=tuple(seen(place, None, 0.1) for place in range(25))
        )
    with pytest.raises(CrowdedRecordError, match="evidence ids w1"):
        IncidentRecord(kind=Kind.ALERT, windows=(seen(1, None, 0.1), seen(1, None, 0.1)))


def test_a_cue_of_somebody_elses_expert_has_no_words() -> None:
    assert kind_of(Modality.SPEECH, "pitch +2.3 sd against own first minute") is CueKind.PITCH_UP
    assert kind_of(Modality.TEXT, "pitch +2.3 sd against own first minute") is CueKind.OTHER
    assert kind_of(Modality.TEXT, 'says "calm phrase"') is CueKind.OTHER


def test_marks_that_nothing_cited_can_fill_stay_and_are_removed() -> None:
    script = "[w2]the pitch was above usual at [at];[w3]this lasted [value] seconds.[w20]the evid"
    clauses = performed(script, RECORD)
    assert [clause.text for clause in clauses] == [
        "the pitch was above usual at 3:12",
        "this lasted [value] seconds",
    ]
    assert not check(clauses, RECORD).kept


def test_a_script_that_cites_what_is_not_there_is_not_believed() -> None:
    (clause,) = performed("[w2][w9]the customer would be called angry at [at].", RECORD)
    assert clause.evidence == ("w2", "[w2][w9]")
    assert not check([clause], RECORD).kept


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny narrator after two steps of training."""
    folder = tmp_path_factory.mktemp("narrator")
    train_narrator(folder, STEP, sizes=TINY, batches=2, texts=200)
    return folder


def test_training_is_deterministic_and_leaves_a_folder_that_opens(
    folder: Path, tmp_path: Path
) -> None:
    train_narrator(tmp_path, STEP, sizes=TINY, batches=2, texts=200)
    first, again = (open_narrator(str(one), tmp_path) for one in (folder, tmp_path))
    assert isinstance(first, ModelNarrator)
    assert isinstance(again, ModelNarrator)
    assert first.version == again.version
    assert first.version.startswith("tiny-1+")
    assert first.draft(RECORD) == again.draft(RECORD)
    assert not (folder / "training.pt").exists()


def test_where_a_network_says_too_little_that_is_true_the_template_speaks(folder: Path) -> None:
    narrator = open_narrator(folder.name, folder.parent)
    assert narrator is not None
    narrative = narrator.tell(RECORD)
    assert narrative.fell_back
    assert narrative.narrator == TemplateNarrator().version
    assert narrative.text == TemplateNarrator().tell(RECORD).text


def test_a_good_draft_is_told_under_the_networks_name(folder: Path) -> None:
    narrator = open_narrator(str(folder), folder)
    assert isinstance(narrator, ModelNarrator)
    narrative = narrator.settled([*HONEST, Clause("the evidence is thin", ("w3",))], RECORD)
    assert not narrative.fell_back
    assert narrative.narrator == narrator.version
    assert len(narrative.clauses) == len(HONEST)


def test_a_network_answers_the_same_alone_and_in_company(folder: Path) -> None:
    narrator = open_narrator(str(folder), folder)
    assert isinstance(narrator, ModelNarrator)
    others = [record for _, record in incidents(3, 1)]
    rows = [tokenise(record, narrator._pieces.pieces) for record in (RECORD, *others)]
    alone, company = (narrator._model.hear(batched(some)) for some in (rows[:1], rows))
    torch.testing.assert_close(company.latents[:1], alone.latents, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(company.tokens[:1], alone.tokens, atol=1e-5, rtol=1e-4)


def test_settings_name_a_narrator_or_a_folder(tmp_path: Path) -> None:
    assert open_narrator("none", tmp_path) is None
    assert isinstance(open_narrator("template", tmp_path), TemplateNarrator)
    with pytest.raises(WeightsError, match="no causal language model"):
        open_narrator("nowhere", tmp_path)


def test_records_of_held_out_combinations_are_told_only_in_evaluations() -> None:
    assert all(is_held_out(record) for kind, record in incidents(20, 1) if kind == "plain")
    kinds = [kind for kind, _ in incidents(500, 1)]
    assert kinds.count("plain") == 350
    assert {kinds.count(kind) for kind in set(kinds) - {"plain"}} == {30}


def test_an_evaluation_of_the_template_finds_it_faithful() -> None:
    report = evaluate_narrator(TemplateNarrator(), count=60, seed=9)
    assert report.metrics["supported_after"] == report.metrics["supported_template"] == 1.0
    assert report.metrics["fell_back"] == 0.0
    assert {"plain", "instructions", "no evidence"} <= set(report.by.group)


def test_an_evaluation_of_a_network_counts_its_draft(folder: Path) -> None:
    narrator = open_narrator(str(folder), folder)
    assert narrator is not None
    report = evaluate_narrator(narrator, count=5, seed=9)
    assert 0.0 <= report.metrics.get("supported_before", 0.0) <= 1.0
    assert report.metrics["supported_after"] == 1.0
    assert report.metrics["fell_back"] == 1.0


def gpt2() -> GPT2LMHeadModel:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=TINY.vocabulary,
            n_positions=400,
            n_embd=16,
            n_layer=4,
            n_head=2,
            bos_token_id=0,
            eos_token_id=0,
        )
    )


def llama() -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=TINY.vocabulary,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=8,
            num_attention_heads=2,
            num_key_value_heads=2,
        )
    )


@pytest.mark.parametrize(("make", "asked"), [(gpt2, 1), (llama, 2)])
def test_closed_gates_leave_a_frozen_model_as_it_was_to_the_bit(
    make: Callable[[], PreTrainedModel], asked: int
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        decoder = FrozenDecoder(make())
        pieces = torch.randint(TINY.vocabulary, (2, 9))
        before = decoder.logits(pieces)
        model = Flamingo(decoder, vocabulary=TINY.vocabulary, every=4, hidden=16, width=16)
    assert len(model.asking) == asked
    rows = batched([tokenise(RECORD, lambda _: [1]), tokenise(WITH_WORDS, lambda _: [1, 2])])
    heard = model.hear(rows)
    assert torch.equal(model.logits(pieces, heard), before)
    torch.nn.init.constant_(model.asking[0].attention_gate, 0.5)
    assert not torch.equal(model.logits(pieces, heard), before)
    assert torch.equal(decoder.logits(pieces), before)
    model.loss(rows, pieces, torch.ones_like(pieces, dtype=torch.bool)).backward()
    assert all(parameter.grad is None for parameter in decoder.model.parameters())
    assert model.encoder.windows[0].weight.grad is not None
    assert len(greedy(model, rows, begin=0, finish=1, most=6)) == 2


def test_a_frozen_checkpoint_learns_to_read_beside_itself(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        gpt2().save_pretrained(tmp_path)
    PreTrainedTokenizerFast(
        tokenizer_object=fit_vocabulary(0, TINY.vocabulary, 200)._tokenizer,
        bos_token="[begin]",
        eos_token="[finish]",
    ).save_pretrained(tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    with pytest.raises(WeightsError, match="train narrator --decoder"):
        open_narrator(str(tmp_path), tmp_path)
    train_adapter(tmp_path, STEP, batches=1)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    narrator = open_narrator(str(tmp_path), tmp_path)
    assert isinstance(narrator, ModelNarrator)
    assert narrator.version.startswith("narrator-adapter-1+")
    assert narrator.tell(RECORD).text == narrator.tell(RECORD).text
    (tmp_path / "more.safetensors").write_bytes(b"other weights")
    with pytest.raises(WeightsError, match="trained for a decoder"):
        open_narrator(str(tmp_path), tmp_path)


def test_a_service_that_tells_by_the_template_loads_no_network() -> None:
    asked = (
        "import sys; from pathlib import Path; from inference.narrator import choice; "
        "choice.open_narrator('template', Path()); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
