"""Train the text expert on comments, lines of one's own, and lines of service calls."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from inference.experts.text_features import TextFeatures, as_recognised
from inference.experts.text_model import LinearHeads, TextModel
from inference.labels import EMOTIONS
from inference.training.service_lines import read_service_lines
from inference.training.text_calibration import best_threshold, calibrate, written_and_spoken
from inference.training.text_material import TextMaterial

REGULARISATION: Final = 0.5
"""Inverse strength of L2 (scikit-learn's C): best of .3, .5, 1, 2 on held-out training lines."""
LOST_WORDS: Final = 0.05
"""Share of words that a recogniser swallows in the spoken copies."""
FOLDS: Final = 4
LINE_WEIGHT: Final = 15.0
"""What a copy of a service line weighs against a comment in the head of distress. Of 5, 10, 15,
20, 30: in five folds of the training half 15 named 82 % of the directions at .001 of distress
AUC on development comments; 30 named one point more at three times the cost."""
LABEL_LINE_WEIGHT: Final = 5.0
"""The same in the heads of labels, where 10 to 30 cost up to .006 of macro-F1 there."""
PHRASE_PENALTY: Final = 1.0
"""L2 on the weights of phrases: of 1 and 10 the better in the same folds."""
STEPS: Final = (
    "reading",
    "features",
    "labels",
    "distress",
    "phrases",
    "thresholds",
    "calibration",
)

Floats = NDArray[np.float64]
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ServiceCopies:
    """The training half of the service lines, each in three forms.

    Attributes:
        emotions: (texts, labels) how much each label is meant.
        distressed: (texts,) 1 or 0.
    """

    texts: tuple[str, ...]
    emotions: Floats
    distressed: Floats


def service_copies() -> ServiceCopies:
    """See the class."""
    lines = read_service_lines("train")
    forms = [line.spoken(place) for place, line in enumerate(lines)]
    copies = len(forms[0])
    return ServiceCopies(
        texts=tuple(text for form in forms for text in form),
        emotions=np.repeat([line.emotions for line in lines], copies, axis=0),
        distressed=np.repeat([float(line.distressed) for line in lines], copies),
    )


def train_text(
    material: TextMaterial,
    *,
    seed: int = 0,
    report: Report = lambda _step: None,
    words: int = 20_000,
    characters: int = 30_000,
) -> TextModel:
    """Fit features, heads, phrases, calibration and thresholds; nothing sees a test split.

    1. Every training line counts twice: as written, and as a recogniser would write it.
    2. A binary head for each label, on all lines, without phrases.
    3. A binary head for distress with balanced classes: an even prior.
    4. The weights of phrases, on top of those heads as they are: from service lines, which
       hold them, and from all training lines, which say what they must not mean elsewhere.
    5. For the multi-label figure only, the threshold of each label with its best F1 on
       training lines read out of fold: the few marks of rare labels in the development split
       would make it a lottery.
    6. On the development lines, written and spoken: the calibration.

    Args:
        material: what to train and calibrate on.
        seed: of the words that the spoken copies lose.
        report: called with the name of each of `STEPS` as it begins.
        words: how many word n-grams to keep.
        characters: how many character n-grams to keep.
    """
    report("reading")
    train, service = material.train, service_copies()
    texts = _train_texts(material, seed)
    report("features")
    features = TextFeatures.fit(texts, words=words, characters=characters)
    rows, lines = features.transform(texts), features.transform(service.texts)
    plain = rows @ sparse.diags(_not_phrases(features))
    report("labels")
    labels = np.tile(train.labels, (2, 1))
    emotions = [_binary(plain, marked, seed=seed) for marked in labels.T]
    report("distress")
    judged, distressed = np.tile(train.judged, 2), np.tile(train.distressed, 2)
    distress = _binary(plain[judged], distressed[judged], seed=seed, balanced=True)
    report("phrases")
    columns = features.phrase_columns
    phrases, line_phrases = rows[:, columns].toarray(), lines[:, columns].toarray()
    for head, marked, meant in zip(emotions, labels.T, service.emotions.T, strict=True):
        if not meant.any():
            continue  # no line means this label: what comments say of it stays as it is
        head.weights[columns] = _taught(
            (plain @ head.weights + head.intercept, lines @ head.weights + head.intercept),
            (phrases, line_phrases),
            (marked.astype(np.float64), meant),
            np.ones(len(marked)),
            LABEL_LINE_WEIGHT,
        )
    distress.weights[columns] = _taught(
        (
            plain[judged] @ distress.weights + distress.intercept,
            lines @ distress.weights + distress.intercept,
        ),
        (phrases[judged], line_phrases),
        (distressed[judged].astype(np.float64), service.distressed),
        balance(distressed[judged]),
        LINE_WEIGHT,
    )
    report("thresholds")
    unseen = _out_of_fold(plain, train.labels, line_groups(train.texts, seed), seed)
    unseen += phrases[: len(train.texts)] @ np.array([head.weights[columns] for head in emotions]).T
    report("calibration")
    model = TextModel(
        features=features,
        heads=LinearHeads(
            emotions=np.array([head.weights for head in emotions]),
            emotion_intercepts=np.array([head.intercept for head in emotions]),
            distress=distress.weights,
            distress_intercept=distress.intercept,
        ),
        data=material.data,
    ).rounded()
    said = written_and_spoken(material.develop)
    marks, odds = model.log_odds_many(said)
    heard = np.array([model.heard(text) for text in said])
    thresholds = _best_thresholds(train.labels, unseen)
    calibration = calibrate(material.develop, marks, odds, heard, thresholds)
    return replace(model, calibration=calibration)


def _train_texts(material: TextMaterial, seed: int) -> tuple[str, ...]:
    """Every training line as written, then every line as a recogniser would write it."""
    lottery = random.Random(seed)  # noqa: S311 - lost words, not secrets
    spoken = (
        " ".join(word for word in as_recognised(text).split() if lottery.random() >= LOST_WORDS)
        for text in material.train.texts
    )
    return (*material.train.texts, *spoken)


def balance(positive: NDArray[np.bool_]) -> Floats:
    """(n,) weights of mean 1 under which both sides weigh the same."""
    counts = np.array([(~positive).sum(), positive.sum()])
    weights: Floats = len(positive) / (2 * counts[positive.astype(np.intp)])
    return weights


def _best_thresholds(labels: NDArray[np.bool_], marks: Floats) -> tuple[float, ...]:
    """`best_threshold` of each label, (lines, labels) marked and log odds."""
    columns = zip(labels.T, marks.T, strict=True)
    return tuple(best_threshold(marked, column) for marked, column in columns)


def line_groups(texts: Sequence[str], seed: int) -> NDArray[np.intp]:
    """(texts,) fold of each; equal texts lie in one fold."""
    _, same = np.unique(np.array(texts, dtype=object), return_inverse=True)
    drawn: NDArray[np.intp] = np.random.default_rng(seed).permutation(same.max() + 1) % FOLDS
    return drawn[same]


@dataclass(frozen=True, slots=True)
class _Head:
    """(features,) weights and intercept of one logistic regression."""

    weights: Floats
    intercept: float


def _not_phrases(features: TextFeatures) -> Floats:
    kept = np.ones(features.size)
    kept[features.phrase_columns] = 0.0
    return kept


def _binary(
    rows: sparse.csr_matrix, positive: NDArray[np.bool_], *, seed: int, balanced: bool = False
) -> _Head:
    head = LogisticRegression(
        C=REGULARISATION,
        solver="liblinear",
        tol=1e-3,
        class_weight="balanced" if balanced else None,
        random_state=seed,
    ).fit(rows, positive)
    return _Head(head.coef_[0], float(head.intercept_[0]))


def _taught(
    odds: tuple[Floats, Floats],
    phrases: tuple[Floats, Floats],
    truth: tuple[Floats, Floats],
    weights: Floats,
    line_weight: float,
) -> Floats:
    """(families,) weights of phrases on top of a head that stays as it is.

    Args:
        odds: (n,) what the head says of training lines, and of copies of service lines.
        phrases: (n, families) of both.
        truth: (n,) in [0, 1] of both.
        weights: (n,) of the training lines.
        line_weight: of each copy of a service line.
    """
    base, held, asked = map(np.concatenate, (odds, phrases, truth))
    weighs = np.concatenate([weights, np.full(len(truth[1]), line_weight)])
    some = held.any(axis=1)
    base, held, asked, weighs = base[some], held[some], asked[some], weighs[some]

    def loss(fitted: Floats) -> tuple[np.float64, Floats]:
        logits = base + held @ fitted
        value = (weighs * (np.logaddexp(0.0, logits) - asked * logits)).sum()
        slope = held.T @ (weighs * (1 / (1 + np.exp(-logits)) - asked))
        return value + PHRASE_PENALTY / 2 * (fitted @ fitted), slope + PHRASE_PENALTY * fitted

    start = np.zeros(held.shape[1])
    found: Floats = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return found


def _out_of_fold(
    rows: sparse.csr_matrix, labels: NDArray[np.bool_], folds: NDArray[np.intp], seed: int
) -> Floats:
    """(lines, labels) log odds of each written line from heads that saw no copy of it."""
    lines = len(labels)
    marks = np.empty((lines, len(EMOTIONS)))
    for fold in range(FOLDS):
        mine = folds == fold
        seen = np.tile(~mine, 2)
        for column, marked in enumerate(np.tile(labels, (2, 1)).T):
            head = _binary(rows[seen], marked[seen], seed=seed)
            marks[mine, column] = rows[:lines][mine] @ head.weights + head.intercept
    return marks
