"""Model cards whose figures come from evaluations: which figures each shows, as data.

Beside the shipped weights lies `evaluation.json`: reports as `affectstream evaluate` printed them,
with what they were made from. The figures of the card stand between two marks and are rendered
from that file, so a card and its evaluation cannot disagree unnoticed.
"""

import hashlib
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from inference.errors import AffectstreamError
from inference.evaluation.report import EvaluationReport, Metrics
from inference.experts import face_detector
from inference.experts.face import FaceExpert
from inference.experts.speech_head import SpeechHead
from inference.experts.text import WEIGHTS as TEXT_WEIGHTS
from inference.experts.text_model import TextModel
from inference.fusion.artefact import FusionArtefact
from inference.third_party import FACE_LANDMARKER

WEIGHTS: Final = Path(__file__).parents[1] / "weights"
EVALUATION_FILE: Final = "evaluation.json"
CARD_FILE: Final = "README.md"
END: Final = "<!-- end -->"
WIDTH: Final = 100
_HEX_DIGITS: Final = 8


class CardError(AffectstreamError):
    """A card without marks, or figures that its evaluation does not hold."""


class Made(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a report comes from.

    Attributes:
        weights: version of each shipped folder that was judged.
        date: day of the evaluation, ISO 8601.
        commit: of the code.
        machine: system, processor, cores.
        command: what prints the report again.
    """

    weights: dict[str, str]
    date: str
    commit: str
    machine: str
    command: str


class Evaluated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A report and where it comes from."""

    made: Made
    report: EvaluationReport


Evaluations = Mapping[str, Evaluated]
"""By the name of the evaluation."""


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of every line of a table.

    Attributes:
        title: above it.
        figure: its name in the report; a part that has none leaves the cell empty.
        error: name of its standard error, shown behind ±.
        beside: name of another figure to compare it with, shown in brackets.
        digits: behind the point.
    """

    title: str
    figure: str
    error: str = ""
    beside: str = ""
    digits: int = 3

    def cell(self, metrics: Metrics) -> str:
        """What stands in the table."""
        if self.figure not in metrics:
            return ""
        text = self._number(metrics[self.figure])
        if self.error in metrics:
            text += f" ± {self._number(metrics[self.error])}"
        if self.beside in metrics:
            text += f" ({self._number(metrics[self.beside])})"
        return text

    def _number(self, value: float) -> str:
        """Without the zero in front of the point."""
        return re.sub(r"^(-?)0\.", r"\1.", f"{value:.{self.digits}f}")


@dataclass(frozen=True, slots=True)
class Line:
    """A part of a report: its headline if `part` is empty, else a pattern or a group."""

    title: str
    evaluation: str
    part: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Some lines with the same figures, and a sentence that says what they are."""

    about: str
    corner: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """The figures of one folder of shipped weights.

    Attributes:
        name: of the folder, and of the marks.
        version: of what is shipped in it.
        tables: in order.
    """

    name: str
    version: Callable[[], str]
    tables: tuple[Table, ...]

    @property
    def evaluations(self) -> tuple[str, ...]:
        """Names of those it shows, in order of appearance."""
        return tuple(dict.fromkeys(line.evaluation for t in self.tables for line in t.lines))

    def folder(self, weights: Path = WEIGHTS) -> Path:
        """Where its files lie."""
        return weights / self.name


def _face_version() -> str:
    detector = hashlib.sha256(
        (face_detector.WEIGHTS / face_detector.MODEL_FILE).read_bytes()
    ).hexdigest()[:_HEX_DIGITS]
    landmarks = FACE_LANDMARKER.wheel_sha256[:_HEX_DIGITS]
    return f"{FaceExpert.load(None).version}+{detector}+{landmarks}"


def _fusion_version() -> str:
    artefact = FusionArtefact.load()
    return f"{artefact.name}-{artefact.version}+{artefact.digest}"


_ECE: Final = Column("ECE (perfect)", "ece", beside="expected_ece")
_SPEECH: Final = (
    Column("UAR, 6 labels", "uar", error="uar_se"),
    Column("Distress AUC", "distress_auc"),
    Column("Arousal AUC", "arousal_auc"),
    Column("NLL", "nll"),
    _ECE,
)
_FUSION: Final = (
    Column("Accuracy", "accuracy"),
    Column("NLL", "nll"),
    _ECE,
    Column("Coverage", "coverage"),
    Column("Labels in a set", "mean_set_size", digits=2),
)


def _lines(evaluation: str, parts: Sequence[tuple[str, str]]) -> tuple[Line, ...]:
    return tuple(Line(title, evaluation, part) for title, part in parts)


SPEECH_CARD: Final = Card(
    "speech",
    lambda: SpeechHead.load().version,
    (
        Table(
            "The recipe on unseen speakers of EmoDB, folds of two. UAR is unweighted average "
            "recall with its standard error over speakers; ECE stands beside what a perfectly "
            "calibrated model would show on so few clips, and what one temperature for all lines "
            "would give.",
            "Form",
            (*_SPEECH, Column("ECE, one temperature", "ece_one_temperature")),
            _lines(
                "speech",
                [
                    ("wideband", "wideband"),
                    ("telephone", "telephone"),
                    ("noisy", "noisy"),
                    ("0.6-1.5 s", "short"),
                    ("bad line", "bad line"),
                ],
            ),
        ),
        Table(
            "These very weights on voices that they never heard: EmoDB speakers 03 and 16, and "
            "RAVDESS (English, 24 actors).",
            "Voices",
            _SPEECH,
            _lines(
                "speech",
                [
                    ("EmoDB, wideband", "shipped, held-out speakers, wideband"),
                    ("EmoDB, telephone", "shipped, held-out speakers, telephone"),
                    ("EmoDB, bad line", "shipped, held-out speakers, bad line"),
                    ("RAVDESS, wideband", "shipped, RAVDESS, wideband"),
                    ("RAVDESS, telephone", "shipped, RAVDESS, telephone"),
                ],
            ),
        ),
        Table(
            "In the words of the corpora: EmoDB with boredom apart, its four common classes, and "
            "the encoder with heads trained on RAVDESS alone (not shipped; folds of EmoBox).",
            "Classes",
            (Column("UAR", "uar", error="uar_se"), Column("Accuracy", "accuracy")),
            _lines(
                "speech",
                [
                    ("EmoDB, seven, wideband", "seven classes, wideband"),
                    ("EmoDB, seven, telephone", "seven classes, telephone"),
                    ("EmoDB, four, wideband", "four classes, wideband"),
                    ("EmoDB, four, telephone", "four classes, telephone"),
                    ("RAVDESS, eight, wideband", "RAVDESS alone, eight classes, wideband"),
                    ("RAVDESS, eight, telephone", "RAVDESS alone, eight classes, telephone"),
                ],
            ),
        ),
        Table(
            "Does the file format give the class away? The share of recordings published as FLAC "
            "that are called boredom, disgust or fear, which none of them is.",
            "",
            (
                Column("As they are", "share_as_flac"),
                Column("After the common cut and codec", "share_as_opus"),
            ),
            _lines("speech", [("share", "format leak")]),
        ),
        Table(
            "What a line costs: points (hundredths) lost against the same recordings clean, by the "
            "recipe on strangers, by these weights on speakers 03 and 16, and on RAVDESS. Below "
            "zero the line does better.",
            "Voices and line",
            (
                Column("UAR", "uar_points_lost", digits=1),
                Column("Distress AUC", "distress_auc_points_lost", digits=1),
                Column("Arousal AUC", "arousal_auc_points_lost", digits=1),
            ),
            _lines(
                "telephone",
                [
                    (f"{said}, {form}", f"{part}, {form}")
                    for said, part in (
                        ("recipe", "EmoDB, recipe"),
                        ("03 and 16", "EmoDB, shipped, held-out speakers"),
                        ("RAVDESS", "RAVDESS, shipped"),
                    )
                    for form in (
                        "mu-law",
                        "A-law",
                        "mu-law, noise at 0-20 dB",
                        "mu-law, 5 % of packets lost",
                    )
                ],
            ),
        ),
        Table(
            "Whole calls through windows and fusion, voice alone: built from speakers 03 and 16, "
            "calm, then distressed, then calm. Windows that are at least half speech of one label; "
            "an onset is smoothed distress of twice the base rate that stays for 3 s.",
            "Line",
            (
                Column("Distress AUC", "distress_auc"),
                Column("of the customer's windows", "customer_distress_auc"),
                Column("with joyful calls", "distress_auc_with_glad"),
                Column("Onset found", "onset_found_share", digits=2),
                Column("after, median s", "onset_delay_s", digits=1),
                Column("False onset", "false_onset_share", digits=2),
                Column("in joyful calls", "glad_false_onset_share", digits=2),
                Column("Not sure", "abstained_share", digits=2),
            ),
            _lines(
                "calls",
                [("wideband", "wideband, speech"), ("telephone", "telephone, speech")],
            ),
        ),
    ),
)

_TEXT: Final = (
    Column("Macro-F1", "macro_f1"),
    Column("Distress AUC, as the service hears", "distress_auc"),
    Column("heard in full", "distress_auc_in_full"),
    Column("Accuracy", "accuracy"),
    Column("UAR", "uar"),
    Column("NLL", "nll"),
    _ECE,
    Column("ECE, labels as often (perfect)", "ece_uniform", beside="expected_ece_uniform"),
)
_FORMS: Final = (
    ("as written", "as written"),
    ("as a recogniser writes", "as recognised"),
    *((f"{rate} % of words wrong", f"{rate}% word errors") for rate in (5, 10, 20)),
)
_READERS: Final = (("words", "text"), ("with sentence vectors", "text-plus"))

TEXT_CARD: Final = Card(
    "text",
    lambda: TextModel.load(TEXT_WEIGHTS).version,
    (
        *(
            Table(
                f"Test split of GoEmotions, {reader}: macro-F1 is multi-label, over all lines; the "
                "other figures but distress are of lines with one label, under the label shares of "
                "the corpus. ECE stands beside what a calibrated model would show on so few lines.",
                "Lines",
                _TEXT,
                _lines(evaluation, _FORMS),
            )
            for reader, evaluation in _READERS
        ),
        Table(
            "Lines of service calls, the half kept for the test: how often the log odds of "
            "distress point where a listener would.",
            "Reader",
            (
                Column("Direction right", "direction"),
                Column("of distressed", "direction_distress"),
                Column("of others", "direction_calm"),
                Column("as written", "direction_as_written"),
                Column("Distress AUC", "distress_auc"),
                Column("Not heard in full", "shrunk"),
                Column("Not sure", "abstained"),
            ),
            tuple(Line(reader, evaluation, "service lines") for reader, evaluation in _READERS),
        ),
    ),
)

FACE_CARD: Final = Card(
    "face_detector",
    _face_version,
    (
        Table(
            "Nothing of the rule is fitted. Validation faces of FER+ with a clear majority, grey "
            "and 48 pixels wide, one label against all others. A tile is one face, so the detector "
            "is not asked, its edge is repeated for a margin, and the rule judges each tile; the "
            "expert itself is silent where the landmark graph is not sure of a face.",
            "Faces",
            (
                Column("Share read", "read_share", digits=2),
                Column("Joy AUC", "joy_auc"),
                Column("Surprise AUC", "surprise_auc"),
            ),
            (
                Line("all", "face"),
                Line("all, silent where not sure", "face", "rule, silent on others"),
                Line("those that are read", "face", "rule, faces read"),
            ),
        ),
        Table(
            "Labels that the rule does not name, all faces.",
            "Label",
            (Column("AUC", "auc"),),
            _lines(
                "face",
                [(label, f"rule, {label}") for label in ("anger", "fear", "sadness", "disgust")],
            ),
        ),
        Table(
            "The research net on the same faces, eight labels. It is not shipped.",
            "Reader",
            (
                Column("Accuracy", "accuracy"),
                Column("UAR", "uar"),
                Column("Macro-F1", "macro_f1"),
                Column("NLL", "nll"),
                _ECE,
                Column("Distress AUC", "distress_auc"),
            ),
            (Line("net", "face"),),
        ),
    ),
)

FUSION_CARD: Final = Card(
    "fusion",
    _fusion_version,
    (
        Table(
            "The rule on published predictions for RAVDESS (voice and two face experts, folds 0-3 "
            "of unseen actors; everything fitted on the other folds). Sets promise a coverage of "
            ".9. Dropped: each modality with that chance, mean of 20 masks.",
            "Present",
            _FUSION,
            (
                Line("voice", "fusion-ravdess", "speech"),
                Line("faces", "fusion-ravdess", "face"),
                Line("both", "fusion-ravdess", "speech+face"),
                Line("both, adaptive", "fusion-ravdess-adaptive", "speech+face"),
                *(
                    Line(f"dropped with {rate}", "fusion-ravdess", f"dropped with p 0{rate}")
                    for rate in (".1", ".3", ".5", ".7")
                ),
            ),
        ),
        Table(
            "The rule on crowd votes: people who only heard, or only saw, guess what those say who "
            "did both. Five folds of actors. It tests the rule, not shipped weights. Contains "
            "information from CREMA-D (Cao et al. 2014), which is made available under the Open "
            "Database License (ODbL) 1.0.",
            "Present",
            _FUSION,
            (
                Line("voice", "fusion-crema", "speech"),
                Line("face", "fusion-crema", "face"),
                Line("both", "fusion-crema", "speech+face"),
                Line("both, adaptive", "fusion-crema-adaptive", "speech+face"),
                Line("both, what was acted", "fusion-crema-acted", "speech+face"),
            ),
        ),
    ),
)

CARDS: Final = MappingProxyType(
    {card.name: card for card in (SPEECH_CARD, TEXT_CARD, FACE_CARD, FUSION_CARD)}
)


def read_evaluations(card: Card, weights: Path = WEIGHTS) -> dict[str, Evaluated]:
    """What lies beside the weights; nothing where there is no file. Raises CardError."""
    path = card.folder(weights) / EVALUATION_FILE
    if not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Evaluated])
    except msgspec.DecodeError as exc:
        raise CardError(f"{path}: no evaluations ({exc}); {_again(card)}") from exc


def write_evaluations(card: Card, evaluations: Evaluations, weights: Path = WEIGHTS) -> None:
    """Put evaluations beside the weights, those that the card shows in its order."""
    known = {name: evaluations[name] for name in card.evaluations if name in evaluations}
    text = msgspec.json.format(msgspec.json.encode(known), indent=2)
    (card.folder(weights) / EVALUATION_FILE).write_bytes(text + b"\n")


def rewrite(card: Card, weights: Path = WEIGHTS) -> bool:
    """Render the figures of a card anew; whether that changed it. Raises CardError."""
    path = card.folder(weights) / CARD_FILE
    before = path.read_text(encoding="utf-8")
    after = with_figures(before, card.name, render(card, read_evaluations(card, weights)))
    if after == before:
        return False
    path.write_text(after, encoding="utf-8")
    return True


def problems(card: Card, weights: Path = WEIGHTS) -> list[str]:
    """Where a card, its evaluations and the shipped weights disagree; empty where all is well."""
    try:
        evaluations = read_evaluations(card, weights)
        text = (card.folder(weights) / CARD_FILE).read_text(encoding="utf-8")
        same = with_figures(text, card.name, render(card, evaluations)) == text
    except CardError as exc:
        return [str(exc)]
    found = [] if same else [f"{card.name}: the card is not what its evaluations say"]
    for name, evaluated in evaluations.items():
        for folder, version in evaluated.made.weights.items():
            shipped = CARDS[folder].version()
            if shipped != version:
                found.append(
                    f"{card.name}: {name} judged {version}, shipped is {shipped}; {_again(card)}"
                )
    return found


def render(card: Card, evaluations: Evaluations) -> str:
    """The tables of a card, and where each evaluation comes from.

    Raises:
        CardError: an evaluation or a part of one is missing.
    """
    pieces = [_table(card, table, evaluations) for table in card.tables]
    origins = [_origin(name, evaluations[name]) for name in card.evaluations]
    return "\n\n".join([*pieces, "\n".join(origins)])


def with_figures(text: str, name: str, figures: str) -> str:
    """The card with what stands between its marks replaced. Raises CardError."""
    begin = f"<!-- figures: {name} -->"
    before, mark, rest = text.partition(begin)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise CardError(f"the card {name} has no line {begin} with {END} after it")
    return f"{before}{begin}\n{figures}\n{END}{after}"


def _table(card: Card, table: Table, evaluations: Evaluations) -> str:
    rows = [
        [table.corner, *(column.title for column in table.columns)],
        ["---"] * (1 + len(table.columns)),
    ]
    for line in table.lines:
        metrics = _part(card, line, evaluations)
        rows.append([line.title, *(column.cell(metrics) for column in table.columns)])
    about = textwrap.fill(table.about, WIDTH)
    return "\n".join([about, "", *(f"| {' | '.join(row)} |" for row in rows)])


def _part(card: Card, line: Line, evaluations: Evaluations) -> Metrics:
    if line.evaluation not in evaluations:
        raise CardError(f"{card.name}: no evaluation {line.evaluation}; {_again(card)}")
    report = evaluations[line.evaluation].report
    parts = {"": report.metrics, **report.by.pattern, **report.by.group}
    if line.part not in parts:
        raise CardError(
            f"{card.name}: the evaluation {line.evaluation} has no part {line.part!r}; "
            f"{_again(card)} on all of the material"
        )
    return parts[line.part]


def _origin(name: str, evaluated: Evaluated) -> str:
    made = evaluated.made
    weights = ", ".join(f"`{version}`" for version in made.weights.values())
    return (
        f"- {name}: `{made.command}`: {evaluated.report.n} items, {weights}; {made.date}, "
        f"commit `{made.commit}`, {made.machine}"
    )


def _again(card: Card) -> str:
    return (
        f"make it with `affectstream evaluate all --only {','.join(card.evaluations)} --cards "
        "--data DIR`"
    )
