"""The shared space from training to a projected window, on a handful of made-up takes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from inference.alignment.captions import Description, Measure, Third, measures_of, plain_caption
from inference.alignment.space import AlignedSpace, QueryError
from inference.alignment.towers import unit
from inference.evaluation.search import embedded, matches, recall_among
from inference.evidence import Evidence, Features, Prosody, Quality
from inference.experts.voice_encoder import VOICE_SPACE
from inference.labels import EMOTIONS, MODALITIES, Emotion, Modality
from inference.networks.folder import WeightsError
from inference.projection import SIZE
from inference.training.action_units import NoActionUnitsError
from inference.training.alignment.faces import ACTIONS, seen_beside
from inference.training.alignment.facts import UNKNOWN, Facts, no_facts, third_edges, thirds_of
from inference.training.alignment.learn import AlignmentLosses, Extent, Material, draw
from inference.training.alignment.takes import Lines, Takes, line_takes
from inference.training.alignment.train import Learnt, TooFewSpeakersError, apart, learn, save
from inference.training.loop import Plan
from inference.training.ravdess_speech import ActedClip

pytestmark = pytest.mark.unit

VOICE = 6
SMALL = Extent(batch=12, batches=2, captions=40)
MEASURED = len(Measure)


class Words:
    """Each word a direction by its letters; what has none of them is not known."""

    version = "letters-1"

    def vector(self, text: str) -> np.ndarray:
        counts = np.array([text.lower().count(letter) for letter in "aeioustnrl"], dtype=np.float32)
        length = np.linalg.norm(counts)
        return counts / length if length else counts


def takes(count: int = 60) -> Takes:
    """Voices whose first numbers show the label; louder where the label is anger."""
    random = np.random.default_rng(7)
    labels = np.arange(count) % len(EMOTIONS)
    voices = np.eye(len(EMOTIONS))[labels][:, :VOICE] + 0.1 * random.normal(size=(count, VOICE))
    measures = random.normal(size=(count, MEASURED)) + 2.0 * (labels == 0)[:, None]
    measures[::9, Measure.PACE] = np.nan
    rows = np.concatenate([voices, measures], axis=1).astype(np.float32)
    views = np.array([rows, rows + 0.1 * random.normal(size=rows.shape)], dtype=np.float32)
    facts = Facts(
        labels,
        thirds_of(measures, third_edges(measures)),
        np.zeros((count, 0), dtype=np.bool_),
        np.full(count, UNKNOWN),
    )
    names = np.array([f"speaker {place % 3}" for place in range(count)])
    return Takes({Modality.SPEECH: views}, facts, names, names)


def lines() -> Lines:
    said = [(f"{label.value} again and again, said {label.value}", label) for label in EMOTIONS]
    return line_takes(said, Words(), 0, seed=1)


def material() -> tuple[Material, Material]:
    learnt, judged = apart(takes())
    return Material(learnt, lines()), Material(judged, lines())


def learnt(epochs: int = 1, **plan: object) -> Learnt:
    return learn(*material(), Words(), Plan(epochs=epochs, **plan), extent=SMALL)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> AlignedSpace:
    folder = tmp_path_factory.mktemp("space")
    edges = np.zeros((2, MEASURED))
    save(learnt(), folder, Words(), edges, data="made up", licence="none", training={"seed": 0})
    return AlignedSpace.load(Words(), folder)


def heard(vector: np.ndarray, prosody: Prosody | None = None, space: str = VOICE_SPACE) -> Evidence:
    return Evidence(
        modality=Modality.SPEECH,
        expert="ear",
        labels=(Emotion.JOY,),
        log_probs=np.zeros(1),
        distress_log_odds=None,
        quality=Quality(),
        prosody=prosody,
        features=Features.whole(space, vector.astype(np.float32)),
    )


def test_a_window_has_a_row_of_length_one_for_what_is_present_and_zeros_elsewhere(
    space: AlignedSpace,
) -> None:
    projection = space.project([heard(np.ones(VOICE), Prosody(effort_db=3.0))])
    place = MODALITIES.index(Modality.SPEECH)
    assert projection.present.tolist() == [one is Modality.SPEECH for one in MODALITIES]
    assert np.linalg.norm(projection.parts[place]) == pytest.approx(1.0, abs=1e-6)
    assert not np.delete(projection.parts, place, axis=0).any()


def test_features_of_another_space_or_size_or_none_leave_a_modality_absent(
    space: AlignedSpace,
) -> None:
    strange = [heard(np.ones(VOICE), space="voice-2"), heard(np.ones(VOICE + 1))]
    for one in strange:
        projection = space.project([one])
        assert not projection.present.any()
        assert projection.moment is None
    assert not space.project([]).present.any()


def test_a_louder_voice_lies_elsewhere_and_one_without_measures_has_a_place(
    space: AlignedSpace,
) -> None:
    loud, quiet, unknown = (
        space.project([heard(np.ones(VOICE), prosody)]).moment
        for prosody in (Prosody(effort_db=9.0), Prosody(effort_db=-9.0), None)
    )
    assert loud is not None
    assert quiet is not None
    assert unknown is not None
    assert float(loud @ quiet) < 0.999


def test_a_window_has_the_same_bits_again_and_after_others(space: AlignedSpace) -> None:
    one = [heard(np.arange(VOICE) / 3)]
    first = space.project(one).parts
    space.project([heard(-np.ones(VOICE))])
    assert np.array_equal(first, space.project(one).parts)


def test_a_query_has_length_one_and_one_without_known_words_says_so(space: AlignedSpace) -> None:
    assert space.query("raised voice").shape == (SIZE,)
    assert np.linalg.norm(space.query("raised voice")) == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(QueryError, match="'-'"):
        space.query("-")


def test_the_version_names_the_numbers_and_other_words_are_refused(
    space: AlignedSpace, tmp_path: Path
) -> None:
    assert space.version.startswith("shared-1+")
    assert 0.01 <= space.temperature <= 0.5
    save(learnt(), tmp_path, Words(), np.zeros((2, 4)), data="", licence="", training={})
    others = Words()
    others.version = "letters-2"
    with pytest.raises(WeightsError, match=r"letters-1.*letters-2"):
        AlignedSpace.load(others, tmp_path)
    with pytest.raises(WeightsError, match="train alignment"):
        AlignedSpace.load(Words(), tmp_path / "nowhere")


def test_the_same_seed_learns_the_same_numbers() -> None:
    one, again = (dict(learnt(seed=4).towers.state_dict()) for _ in range(2))
    other = learnt(seed=5).towers.state_dict()
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not all(np.array_equal(one[name], other[name]) for name in one)


def test_a_training_that_was_broken_off_ends_with_the_same_numbers(tmp_path: Path) -> None:
    class BrokenOffError(Exception):
        pass

    def stop() -> None:
        raise BrokenOffError

    plan = Plan(epochs=2, checkpoint=tmp_path / "half")
    with pytest.raises(BrokenOffError):
        learn(*material(), Words(), plan, on_epoch=stop, extent=SMALL)
    resumed = learn(*material(), Words(), plan, extent=SMALL).towers.state_dict()
    whole = learnt(epochs=2).towers.state_dict()
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_training_is_judged_by_the_same_strangers_each_time() -> None:
    _, judged = material()
    towers = learnt().towers
    first, again = (AlignmentLosses(towers, judged, judged, Words()).judge() for _ in range(2))
    assert first == again


def test_a_voice_lies_nearer_to_the_caption_of_its_label_than_chance_would_have_it() -> None:
    known, judged = material()
    extent = Extent(batch=12, batches=2, captions=400)
    towers = learn(known, judged, Words(), Plan(epochs=1), extent=extent).towers
    captions = [plain_caption(Description(label=label)) for label in EMOTIONS]
    vectors = torch.from_numpy(np.array([Words().vector(caption) for caption in captions]))
    with torch.inference_mode():
        asked = unit(towers.query(vectors)).numpy()
    assert known.voices is not None
    moments = embedded(towers, known.voices, (Modality.SPEECH,))
    scores = moments @ asked.T
    called = (scores - scores.mean(axis=0)).argmax(axis=1)
    assert (called == known.voices.facts.labels).mean() > 2 / len(EMOTIONS)


def test_one_speaker_is_too_few() -> None:
    with pytest.raises(TooFewSpeakersError, match="1 speakers"):
        apart(takes().of(takes().speakers == "speaker 0"))


def test_a_batch_says_of_each_window_only_what_is_present_in_it() -> None:
    learnt_from, _ = material()
    drawn = draw(learnt_from, Words(), 64, np.random.default_rng(2))
    speech, text = (MODALITIES.index(one) for one in (Modality.SPEECH, Modality.TEXT))
    present = drawn.present.numpy()
    assert present.any(axis=1).all()
    assert (drawn.facts.lines[~present[:, text]] == UNKNOWN).all()
    assert (drawn.facts.thirds[~present[:, speech]] == UNKNOWN).all()
    assert np.isfinite(drawn.inputs[Modality.TEXT].numpy()[present[:, text]]).all()


def test_thirds_part_values_evenly_and_know_what_was_not_measured() -> None:
    values = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [np.nan]])
    found = thirds_of(values, third_edges(values))
    assert found[:, 0].tolist() == [Third.LOW, Third.LOW, Third.MIDDLE, Third.HIGH, Third.HIGH, -1]


def test_a_plain_caption_says_what_is_known_in_a_fixed_order() -> None:
    loud = Description(
        label=Emotion.ANGER,
        thirds=(Third.HIGH, None, None, Third.LOW),
        actions=("lips pressed",),
        words="my refund",
    )
    assert plain_caption(loud) == 'raised voice, slow, sounds angry, lips pressed, says "my refund"'
    assert measures_of(Prosody(pace_per_s=4.0)) == (None, None, None, 4.0)


def test_half_a_masked_face_keeps_its_upper_units_alone() -> None:
    clips = [ActedClip(Path(f"03-01-05-01-01-01-{n:02}.wav"), str(n), "angry") for n in range(4)]
    random = np.random.default_rng(1)
    units = {clip.path.stem[3:]: random.random(35).astype(np.float32) for clip in clips}
    seen = seen_beside(clips, units)
    blurred, masked = seen.views
    kept = np.isfinite(masked[0])
    assert kept[0]
    assert not kept[list(ACTIONS).index("AU12")]
    assert np.isfinite(blurred).all()
    assert seen.shown.shape == (4, len(ACTIONS))
    with pytest.raises(NoActionUnitsError, match="1 of 4"):
        seen_beside(clips, {name: units[name] for name in list(units)[:3]})


def test_recall_counts_ties_as_chance_would_settle_them() -> None:
    own = np.arange(4)
    assert recall_among(np.eye(4), own, most=1) == 1.0
    assert recall_among(np.zeros((4, 4)), own, most=1) == pytest.approx(0.25)
    assert recall_among(1 - np.eye(4), own, most=3) == 0.0


def test_a_match_counts_what_the_caption_says_and_nothing_else() -> None:
    caption, window = no_facts(1, 0), no_facts(1, 0)
    assert matches(caption, window).item() == 1.0  # two labels that nobody knows
    caption.thirds[0, 0] = window.thirds[0, 0] = Third.HIGH
    caption.thirds[0, 1] = Third.LOW
    assert matches(caption, window).item() == 2.0
