"""What people say on the command line, read or refused with an example."""

from fractions import Fraction
from pathlib import Path

import pytest

from inference.labels import Role
from streams.ingest.errors import OptionError
from streams.ingest.options import MediaOptions, event_time


def test_names_speakers_and_numbers_are_read() -> None:
    said = MediaOptions(
        channels="customer, agent",
        role=Role.AGENT,
        notice="no",
        speakers="Diane Doe=customer,a=b=agent",
        video_of="agent",
        fps=29.97,
        start="2026-05-04T09:30:00.25+02:00",
    ).source_options("acme")
    assert said.tenant == "acme"
    assert said.naming.channels == ("customer", "agent")
    assert said.naming.role is Role.AGENT
    assert said.naming.speakers == {"Diane Doe": "customer", "a=b": "agent"}
    assert said.naming.video_of == "agent"
    assert not said.notice
    assert said.fps == Fraction(2_997, 100)
    assert said.start_ns == event_time("2026-05-04T07:30:00.25Z")


def test_a_start_that_was_said_is_stronger_than_the_default() -> None:
    assert MediaOptions().source_options("acme", start_ns=7).start_ns == 7
    assert MediaOptions(start="1970-01-01T00:00:01Z").source_options("a", start_ns=7).start_ns == (
        1_000_000_000
    )


def test_times_are_exact_to_the_microsecond() -> None:
    assert event_time("2026-05-04T09:30:00.123456Z") % 1_000_000_000 == 123_456_000


@pytest.mark.parametrize(
    "text", ["now", "2026-05-04", "2026-05-04T09:30:00", "1969-12-31T23:59:59Z", "2026-W19-1T09Z"]
)
def test_a_time_without_date_clock_or_zone_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--start"):
        event_time(text)


@pytest.mark.parametrize("speakers", ["Diane", "=customer", "Diane=", "a=customer,a=agent", ""])
def test_speakers_that_name_nobody_are_refused(speakers: str) -> None:
    with pytest.raises(OptionError, match="--speakers"):
        MediaOptions(speakers=speakers).source_options("acme")


@pytest.mark.parametrize("fps", [float("nan"), float("inf")])
def test_a_rate_that_is_no_number_is_refused(fps: float) -> None:
    with pytest.raises(OptionError, match="--fps"):
        MediaOptions(fps=fps).source_options("acme")


@pytest.mark.parametrize(
    "said", [MediaOptions(conversation="c-1"), MediaOptions(transcript=Path("call.stm"))]
)
def test_what_belongs_to_one_file_is_not_said_of_two(said: MediaOptions) -> None:
    said.check_for(1)
    with pytest.raises(OptionError, match="with 2 files"):
        said.check_for(2)
