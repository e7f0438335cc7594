"""What the terminal says of one window."""

import msgspec

from inference.labels import MODALITIES, AbsenceReason, Modality
from inference.score import CueReport, ModalityReport
from streams.cli._lines import score_line
from tests.scores import START_NS, distressed

replace = msgspec.structs.replace


def test_a_line_ends_with_the_cues_as_they_are() -> None:
    told = (
        CueReport(modality=Modality.TEXT, cue='says "[so]"'),
        CueReport(modality=Modality.SPEECH, cue="loud", at_ns=START_NS),
        CueReport(modality=Modality.SPEECH, cue="loud", at_ns=START_NS + 1),
    )
    line = score_line(replace(distressed(0, 0.74), evidence=told), START_NS)
    assert line.endswith('[/]: says "\\[so]"; loud')


def test_without_cues_a_line_ends_with_what_it_rests_on() -> None:
    line = score_line(replace(distressed(0, 0.74), evidence=()), START_NS)
    assert "distress 0.74" in line
    assert line.endswith("[/]")


def test_a_window_with_nothing_in_it_is_not_called_unsure() -> None:
    score = distressed(0, 0.74)
    silent = replace(
        score,
        emotions=None,
        distress=None,
        decision=replace(score.decision, label=None, set=(), abstained=True),
        modalities={
            one: ModalityReport(present=False, reason=AbsenceReason.SILENCE) for one in MODALITIES
        },
        evidence=(),
    )
    line = score_line(silent, START_NS)
    assert "nothing" in line
    assert "not sure" not in line


def test_a_modality_without_an_opinion_is_not_credited_with_the_score() -> None:
    face = ModalityReport(present=True, weight=1.0)
    alone = replace(distressed(0, 0.74), modalities={Modality.FACE: face}, evidence=())
    assert "face 100%" in score_line(alone, START_NS)
    assert "face says nothing" in score_line(replace(alone, vacuity=1.0), START_NS)
    idle = {Modality.FACE: ModalityReport(present=True, weight=0.0)}
    assert "face says nothing" in score_line(replace(alone, modalities=idle), START_NS)
