"""What the terminal says of one window, and of one alert."""

import msgspec

from inference.contract import format_time
from inference.labels import MODALITIES, AbsenceReason, Modality, Role
from inference.score import CueReport, ModalityReport
from storage.alerts import AlertJson, AlertNews
from streams.cli._lines import alert_line, score_line
from tests.scores import SECOND_NS, START_NS, distressed

replace = msgspec.structs.replace
PAGE = "http://127.0.0.1:8080"
ALERT = AlertJson(
    id="a-1",
    run="live",
    conversation="c-1",
    participant="customer",
    role=Role.CUSTOMER,
    queue="demo",
    language="und",
    rule="sustained-distress",
    rule_version=0,
    severity="critical",
    metric="smoothed",
    state="firing",
    since=format_time(START_NS + 30 * SECOND_NS),
    fired=format_time(START_NS + 33 * SECOND_NS),
    resolved=None,
    reason=None,
    peak=0.337,
    evidence=(),
    acknowledged=None,
    snoozed=None,
    verdict=None,
    link="/conversations/c-1?at=2026-11-23T10:00:30Z",
)


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


def test_an_alert_that_fires_says_who_how_much_what_it_means_and_where_to_look() -> None:
    line = alert_line(AlertNews(transition="firing", alert=ALERT), START_NS, PAGE)
    assert line is not None
    first, means, link = line.splitlines()
    assert "33.0 s  ALERT (critical): sustained-distress, customer, smoothed distress 0.34" in first
    assert "listeners would" in means
    assert link.strip() == f"{PAGE}{ALERT.link}"
    own = replace(ALERT, rule="rage[bold]", metric="anger", peak=None)
    line = alert_line(AlertNews(transition="firing", alert=own), START_NS, PAGE)
    assert line is not None
    assert "rage\\[bold], customer, anger unknown" in line
    assert len(line.splitlines()) == 2, "a rule that is not shipped has no summary here"


def test_an_alert_that_is_over_says_its_peak_and_why() -> None:
    ended = format_time(START_NS + 60 * SECOND_NS)
    over = replace(ALERT, state="resolved", resolved=ended, reason="recovered", peak=0.51)
    line = alert_line(AlertNews(transition="resolved", alert=over), START_NS, PAGE)
    assert line is not None
    assert "60.0 s  alert over: sustained-distress, customer, smoothed distress 0.51" in line
    assert "at its peak" in line
    assert "the estimate came back down" in line


def test_what_people_do_with_an_alert_is_no_line() -> None:
    for step in ("acknowledged", "snoozed", "judged"):
        assert alert_line(AlertNews(transition=step, alert=ALERT), START_NS, PAGE) is None
