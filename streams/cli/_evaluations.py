"""Every evaluation, and where its material lies in a folder of corpora."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inference.evaluation.report import EvaluationReport
from inference.third_party import (
    FACE_LANDMARKER,
    SENTENCE_ENCODER,
    Bundle,
    BundleState,
    state,
)
from streams.cli.evaluate_calls import judge_calls
from streams.cli.evaluate_face import judge_face
from streams.cli.evaluate_fusion import judge_crema, judge_ravdess
from streams.cli.evaluate_pairs import judge_pairs
from streams.cli.evaluate_speech import judge_speech
from streams.cli.evaluate_telephone import judge_telephone
from streams.cli.evaluate_text import judge_text

SPEECH: Final = "speech"
TEXT: Final = "text/goemotions"
FACE: Final = "face"
FUSION: Final = "fusion"
POSTERIORS: Final = "fusion/ravdess"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One that `evaluate all` runs.

    Attributes:
        name: as `--only` and the files of the reports call it.
        command: what prints the same report; DIR stands for the folder of corpora.
        needs: files or folders below it.
        bundle: optional weights without which it cannot run.
        shown: figures for the short table.
        weights: folders of shipped weights that it judges.
        judge: of the folder of corpora, that of optional weights, and the threads.
    """

    name: str
    command: str
    needs: tuple[str, ...]
    shown: tuple[str, ...]
    weights: tuple[str, ...]
    judge: Callable[[Path, Path, int], EvaluationReport]
    bundle: Bundle | None = None

    def missing(self, data: Path, models_dir: Path) -> str | None:
        """What it cannot run without, in words."""
        lacking = [need for need in self.needs if not (data / need).exists()]
        if lacking:
            return f"no {', '.join(lacking)} in {data}"
        if self.bundle and state(self.bundle, models_dir) is not BundleState.INSTALLED:
            fetch = f"`affectstream models fetch {self.bundle.name}`"
            return f"no {self.bundle.name} in {models_dir}: {fetch}"
        return None


EVALUATIONS: Final = (
    Evaluation(
        "text",
        f"affectstream evaluate text --data DIR/{TEXT}",
        (f"{TEXT}/ekman_test.tsv",),
        ("macro_f1", "distress_auc"),
        ("text",),
        lambda data, _, __: judge_text(data / TEXT),
    ),
    Evaluation(
        "text-plus",
        f"affectstream evaluate text --data DIR/{TEXT} --plus",
        (f"{TEXT}/ekman_test.tsv",),
        ("macro_f1", "distress_auc"),
        ("text",),
        lambda data, models, threads: judge_text(data / TEXT, plus=models, threads=threads),
        SENTENCE_ENCODER,
    ),
    Evaluation(
        "face",
        f"affectstream evaluate face --data DIR/{FACE}",
        (FACE, f"{FACE}/labels.csv"),
        ("joy_auc", "surprise_auc"),
        ("face_detector",),
        lambda data, models_dir, _: judge_face(data / FACE, models_dir),
        FACE_LANDMARKER,
    ),
    Evaluation(
        "fusion-crema",
        f"affectstream evaluate fusion-crema --data DIR/{FUSION}",
        (f"{FUSION}/crema_votes.csv",),
        ("accuracy", "nll", "ece"),
        ("fusion",),
        lambda data, _, __: judge_crema(data / FUSION, "av", "late"),
    ),
    Evaluation(
        "fusion-crema-adaptive",
        f"affectstream evaluate fusion-crema --data DIR/{FUSION} --fusion adaptive",
        (f"{FUSION}/crema_votes.csv",),
        ("accuracy", "nll", "ece"),
        ("fusion",),
        lambda data, _, __: judge_crema(data / FUSION, "av", "adaptive"),
    ),
    Evaluation(
        "fusion-crema-acted",
        f"affectstream evaluate fusion-crema --data DIR/{FUSION} --target acted",
        (f"{FUSION}/crema_votes.csv",),
        ("accuracy", "nll", "ece"),
        ("fusion",),
        lambda data, _, __: judge_crema(data / FUSION, "acted", "late"),
    ),
    Evaluation(
        "fusion-ravdess",
        f"affectstream evaluate fusion-ravdess --data DIR/{POSTERIORS}",
        (f"{POSTERIORS}/wav2vec2",),
        ("accuracy", "nll", "ece"),
        ("fusion",),
        lambda data, _, __: judge_ravdess(data / POSTERIORS, "late"),
    ),
    Evaluation(
        "fusion-ravdess-adaptive",
        f"affectstream evaluate fusion-ravdess --data DIR/{POSTERIORS} --fusion adaptive",
        (f"{POSTERIORS}/wav2vec2",),
        ("accuracy", "nll", "ece"),
        ("fusion",),
        lambda data, _, __: judge_ravdess(data / POSTERIORS, "adaptive"),
    ),
    Evaluation(
        "pairs",
        f"affectstream evaluate pairs --speech DIR/{SPEECH} --text DIR/{TEXT}",
        (SPEECH, f"{TEXT}/ekman_test.tsv"),
        ("distress_auc", "auc_over_speech", "auc_over_text"),
        ("speech", "text", "fusion"),
        lambda data, _, threads: judge_pairs(data / SPEECH, data / TEXT, threads=threads),
    ),
    Evaluation(
        "calls",
        f"affectstream evaluate calls --speech DIR/{SPEECH} --text DIR/{TEXT}",
        (SPEECH, f"{TEXT}/ekman_test.tsv"),
        ("distress_auc", "onset_delay_s", "false_onset_share"),
        ("speech", "text", "fusion"),
        lambda data, _, threads: judge_calls(data / SPEECH, data / TEXT, threads=threads),
    ),
    Evaluation(
        "speech",
        f"affectstream evaluate speech --data DIR/{SPEECH}",
        (SPEECH,),
        ("uar", "distress_auc", "ece"),
        ("speech",),
        lambda data, _, threads: judge_speech(data / SPEECH, threads=threads),
    ),
    Evaluation(
        "telephone",
        f"affectstream evaluate telephone --data DIR/{SPEECH}",
        (SPEECH,),
        ("most_uar_points_lost", "most_distress_auc_points_lost", "over_3_points"),
        ("speech",),
        lambda data, _, threads: judge_telephone(data / SPEECH, threads=threads),
    ),
)
"""Quick ones first."""
