"""Judge the shared space: does it find moments by what is said of them, and labels never learnt?

Text is masked: what is judged are voices and faces of people whom the space has not met. Beside
every figure stands what needs no learning: a label by the expert and thirds by measuring.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from inference.alignment.captions import plain_caption
from inference.alignment.towers import Towers, unit
from inference.evaluation.metrics import macro_f1
from inference.evaluation.report import Breakdown, EvaluationReport, Metrics
from inference.evaluation.unmet_labels import by_facts, by_name, by_place, by_place_and_facts
from inference.experts.linear_head import LinearHead
from inference.labels import EMOTIONS, Emotion, Modality
from inference.training.alignment.facts import UNKNOWN, Facts, described, no_facts
from inference.training.alignment.learn import Material
from inference.training.alignment.takes import Takes, Vectorises
from inference.training.alignment.train import apart, learn
from inference.training.linear_fit import fit_linear
from inference.training.loop import Plan
from inference.training.speech import INVERSE_PENALTY

WINDOWS: Final = 1_000
FOUND_AMONG: Final = 10
EPOCHS: Final = 4
"""Of the spaces that are learnt here, once a split: shorter than the shipped one's."""
BLIND_EPOCHS: Final = 1
"""Of those that are learnt without two of the labels, of which there are twenty-one."""
LEARNING_RATE: Final = 3e-4
"""Training begins where least squares end; so few epochs move from there gently."""
ACTORS_LEARNT: Final = 7
"""So that those who are left have a thousand takes."""
BLIND_ACTORS_TESTED: Final = 8
PLACED: Final = "by place and facts"

Rows = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Acted:
    """RAVDESS.

    Attributes:
        takes: voices with a face beside each.
        by_shipped_edges: the voices alone, with thirds by the edges of the shipped weights.
        actions: names of the columns of `Facts.actions`.
    """

    takes: Takes
    by_shipped_edges: Takes
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rest:
    """What stays the same over all spaces that are learnt for a judgement."""

    words: Vectorises
    seed: int
    actions: tuple[str, ...]
    on_space: Callable[[], None]


def spaces_to_learn(*, real: bool) -> int:
    """How often `on_space` is called."""
    pairs = len(list(combinations(EMOTIONS, 2)))
    return 2 + (3 + pairs) * real


def evaluate_search(
    emodb: Takes,
    acted: Acted | None,
    shipped: Towers,
    words: Vectorises,
    versions: Mapping[str, str],
    seed: int = 0,
    on_space: Callable[[], None] = lambda: None,
) -> EvaluationReport:
    """Every figure of the search.

    1. EmoDB: learnt from one half of the speakers, asked for windows of the other, both ways.
    2. RAVDESS, voice and face: learnt from seven actors, asked for those of the others, thrice.
    3. The shipped weights on RAVDESS's voices, a corpus and a language they never met.
    4. Labels of one's own: learnt from five emotions, asked for the other two, all 21 pairs.

    The headline is the mean of 2, or of 1 without RAVDESS.

    Args:
        emodb: several draws of each clip.
        acted: RAVDESS; None leaves out 2 to 4.
        shipped: towers to judge.
        words: makes vectors of captions.
        versions: of weights and recordings.
        seed: of what is drawn.
        on_space: called after each space that was learnt.
    """
    groups: dict[str, Metrics] = {}
    plain = Rest(words, seed, (), on_space)
    groups["EmoDB, voice, unseen speakers"] = _mean(
        [
            _asked(emodb, learnt, (Modality.SPEECH,), plain)[(Modality.SPEECH,)]
            for learnt in _halves(emodb.speakers)
        ]
    )
    headline = groups["EmoDB, voice, unseen speakers"]
    if acted is not None:
        rest = Rest(words, seed, acted.actions, on_space)
        both = (Modality.SPEECH, Modality.FACE)
        takes = acted.takes
        found = [_asked(takes, learnt, both, rest) for learnt in _sevens(takes.speakers)]
        for shown in found[0]:
            name = " and ".join("voice" if one is Modality.SPEECH else "face" for one in shown)
            groups[f"RAVDESS, {name}, unseen actors"] = _mean([one[shown] for one in found])
        headline = groups["RAVDESS, voice and face, unseen actors"]
        among = acted.by_shipped_edges.of(_some(len(takes), seed))
        groups["RAVDESS, voice, shipped weights"] = _found(
            shipped, among, (Modality.SPEECH,), words, None, ()
        )
        groups |= _own_labels(takes, rest)
        headline = {
            **headline,
            "zero_shot_share": groups[f"labels of one's own, {PLACED}"]["share_of_supervised"],
        }
    return EvaluationReport(
        task="search",
        n=WINDOWS,
        metrics={name: value for name, value in headline.items() if name != "n"},
        by=Breakdown(group=groups),
        versions=dict(versions),
    )


def recall_among(scores: Floats, own: Ints, most: int = FOUND_AMONG) -> float:
    """Share of captions whose own window is among the best `most`; ties count in expectation.

    Args:
        scores: (captions, windows) higher is nearer.
        own: (captions,) which window each belongs to.
        most: how many are looked at.
    """
    mine = scores[np.arange(len(own)), own][:, None]
    above = (scores > mine).sum(axis=1)
    level = (scores == mine).sum(axis=1)  # with the window itself
    return float(np.clip((most - above) / level, 0.0, 1.0).mean())


def matches(captions: Facts, windows: Facts) -> Floats:
    """(captions, windows) on how many facts they agree: search without learning.

    What a caption does not say counts for nobody.
    """
    agree: Floats = (captions.labels[:, None] == windows.labels[None]).astype(np.float64)
    for said, known in zip(captions.thirds.T, windows.thirds.T, strict=True):
        agree += (said[:, None] == known[None]) & (said != UNKNOWN)[:, None]
    return agree


def embedded(towers: Towers, takes: Takes, shown: Sequence[Modality], view: int = 0) -> Rows:
    """(takes, 256) moments of length one, of the modalities that are `shown`."""
    with torch.inference_mode():
        total = sum(
            unit(towers.project(one, torch.from_numpy(takes.inputs[one][view]))) for one in shown
        )
        moments: Rows = unit(torch.as_tensor(total)).numpy()
    return moments


def _asked(
    takes: Takes, learnt: NDArray[np.bool_], shown: tuple[Modality, ...], rest: Rest
) -> dict[tuple[Modality, ...], Metrics]:
    """Learn from some people, ask for the others: with all modalities, then with each alone."""
    train, test = takes.of(learnt), takes.of(~learnt)
    towers = _space(train, rest, EPOCHS)
    head = _head(train, EMOTIONS)
    test = test.of(_some(len(test), rest.seed))
    ways = [shown, *([(one,) for one in shown] if len(shown) > 1 else [])]
    return {way: _found(towers, test, way, rest.words, head, rest.actions) for way in ways}


def _found(
    towers: Towers,
    test: Takes,
    shown: tuple[Modality, ...],
    words: Vectorises,
    head: LinearHead | None,
    actions: tuple[str, ...],
) -> Metrics:
    said = _sayable(test.facts, actions if Modality.FACE in shown else ())
    captions = [plain_caption(described(said, row, (), actions)) for row in range(len(test))]
    vectors = torch.from_numpy(np.array([words.vector(one) for one in captions]))
    with torch.inference_mode():
        asked = unit(towers.query(vectors)).numpy()
    own = np.arange(len(test))
    figures = {
        "n": float(len(test)),
        "recall_at_10": recall_among(asked @ embedded(towers, test, shown).T, own),
        "chance": FOUND_AMONG / len(test),
    }
    if shown == (Modality.SPEECH,):
        telephone = embedded(towers, test, shown, view=1)
        figures["recall_at_10_telephone"] = recall_among(asked @ telephone.T, own)
    figures["times_chance"] = figures["recall_at_10"] / figures["chance"]
    if head is not None and Modality.SPEECH in shown:
        called = head.log_probs(_voices(test)).argmax(axis=1)
        labels = np.array([EMOTIONS.index(Emotion(head.labels[one])) for one in called])
        measured = Facts(labels, test.facts.thirds, test.facts.actions, test.facts.lines)
        figures["recall_at_10_match"] = recall_among(matches(said, measured), own)
    return figures


def _sayable(facts: Facts, actions: tuple[str, ...]) -> Facts:
    """What captions say of them: the label, all thirds, and a face that is seen."""
    blind = no_facts(len(facts), facts.actions.shape[1])
    return Facts(
        facts.labels, facts.thirds, facts.actions if actions else blind.actions, blind.lines
    )


def _own_labels(acted: Takes, rest: Rest) -> dict[str, Metrics]:
    """Two labels that the space never met, told apart by prompts; all pairs, unseen actors."""
    names = np.unique(acted.speakers)
    tested = np.isin(acted.speakers, names[-BLIND_ACTORS_TESTED:])
    found: dict[str, list[float]] = {}
    supervised: list[float] = []
    for pair in combinations(range(len(EMOTIONS)), 2):
        met = np.isin(acted.facts.labels, pair)
        towers = _space(acted.of(~tested & ~met), rest, BLIND_EPOCHS)
        test, usual = acted.of(tested & met), acted.of(~tested & ~met)
        truth = np.searchsorted(pair, test.facts.labels)
        for kind, labels in _placed(towers, pair, rest.words).items():
            called = nearer(labels, _moments(towers, test), _moments(towers, usual))
            found.setdefault(kind, []).append(macro_f1(truth, called))
        head = _pair_head(acted.of(~tested & met), [EMOTIONS[one] for one in pair])
        supervised.append(macro_f1(truth, head.log_probs(_joined(test)).argmax(axis=1)))
    most = float(np.mean(supervised))
    return {
        f"labels of one's own, {kind}": {
            "n": float(len(each)),
            "macro_f1": float(np.mean(each)),
            "worst_pair": float(np.min(each)),
            "supervised_macro_f1": most,
            "share_of_supervised": float(np.mean(each)) / most,
        }
        for kind, each in found.items()
    }


def nearer(labels: Floats, moments: Rows, usual: Rows) -> Ints:
    """(takes,) which label each moment is nearer to than windows usually are.

    The usual score is that of windows that were learnt from, which have none of the labels: some
    queries are near anything.

    Args:
        labels: (labels, 256).
        moments: (takes, 256).
        usual: (windows, 256).
    """
    scores = moments @ labels.T - (usual @ labels.T).mean(axis=0)
    called: Ints = scores.argmax(axis=1)
    return called


def _placed(towers: Towers, pair: tuple[int, ...], words: Vectorises) -> dict[str, Floats]:
    """(2, 256) of both labels, for each way to place what was never learnt."""
    learnt = [one for place, one in enumerate(EMOTIONS) if place not in pair]
    both = [EMOTIONS[one] for one in pair]

    def query(text: str) -> Rows:
        with torch.inference_mode():
            found: Rows = unit(towers.query(torch.from_numpy(words.vector(text))[None]))[0].numpy()
        return found

    return {
        "by name": np.array([by_name(one, query) for one in both]),
        "by facts": np.array([by_facts(one, query) for one in both]),
        "by place": np.array([by_place(one, learnt, query) for one in both]),
        PLACED: np.array([by_place_and_facts(one, learnt, query) for one in both]),
    }


def _moments(towers: Towers, takes: Takes) -> Rows:
    return embedded(towers, takes, tuple(takes.inputs))


def _space(takes: Takes, rest: Rest, epochs: int) -> Towers:
    learnt, judged = apart(takes)
    plan = Plan(epochs=epochs, learning_rate=LEARNING_RATE, seed=rest.seed)
    towers = learn(
        Material(learnt, None, rest.actions), Material(judged, None, rest.actions), rest.words, plan
    ).towers
    rest.on_space()
    return towers


def _head(takes: Takes, labels: Sequence[Emotion]) -> LinearHead:
    """The recipe of the speech expert on the voices of `takes`, with the labels that it shows."""
    names = np.array([EMOTIONS[one].value for one in takes.facts.labels])
    shown = [label.value for label in labels if label.value in set(names.tolist())]
    return fit_linear(_voices(takes), names, shown, INVERSE_PENALTY)


def _pair_head(takes: Takes, labels: Sequence[Emotion]) -> LinearHead:
    """What labelled examples of both labels give: all that the towers read, in one linear head."""
    names = np.array([EMOTIONS[one].value for one in takes.facts.labels])
    return fit_linear(_joined(takes), names, [label.value for label in labels], INVERSE_PENALTY)


def _voices(takes: Takes) -> Rows:
    """(takes, 768) embeddings alone."""
    measures = takes.facts.thirds.shape[1]
    voices: Rows = takes.inputs[Modality.SPEECH][0][:, :-measures]
    return voices


def _joined(takes: Takes) -> Rows:
    """(takes, all) of every modality in its first view; what was not measured is 0."""
    joined: Rows = np.nan_to_num(
        np.concatenate([views[0] for views in takes.inputs.values()], axis=1)
    )
    return joined


def _halves(speakers: NDArray[np.str_]) -> Iterator[NDArray[np.bool_]]:
    """Which takes to learn from: of every other speaker, then of the rest."""
    names = np.unique(speakers)
    for first in range(2):
        yield np.isin(speakers, names[first::2])


def _sevens(speakers: NDArray[np.str_]) -> Iterator[NDArray[np.bool_]]:
    """Which takes to learn from: of seven actors, three times others."""
    names = np.unique(speakers)
    for first in range(0, 3 * ACTORS_LEARNT, ACTORS_LEARNT):
        yield np.isin(speakers, names[first : first + ACTORS_LEARNT])


def _some(count: int, seed: int) -> Ints:
    """(windows,) at most `WINDOWS` of `count` places, ascending."""
    drawn: Ints = np.sort(np.random.default_rng(seed).permutation(count)[:WINDOWS])
    return drawn


def _mean(found: Sequence[Metrics]) -> Metrics:
    """Of several splits, with the standard deviation of the recall."""
    recalls = [one["recall_at_10"] for one in found]
    return {
        **{name: float(np.mean([one[name] for one in found])) for name in found[0]},
        "recall_at_10_sd": float(np.std(recalls, ddof=1)),
    }
