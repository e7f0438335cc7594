"""A file's punctuation is enough: every window closes by itself, whole, nothing waited for."""

from pathlib import Path

import numpy as np
import pytest

from inference.labels import AbsenceReason, Modality
from inference.units import SECOND_NS
from streams.ingest.parties import Naming
from streams.ingest.source import FileSource, SourceOptions, records
from streams.policy import new_gate
from streams.scoring import to_window
from streams.windows.aligner import Aligner
from streams.windows.grid import WindowGrid
from streams.windows.offline import closings, unscored
from streams.windows.participant import Timing, WindowDraft
from tests.media import tone, write_pictures, write_sound

START_NS = 1_700_000_000 * SECOND_NS
NEVER_NS = 3_600 * SECOND_NS
GRID = WindowGrid(3 * SECOND_NS, SECOND_NS)


def windows(path: Path, options: SourceOptions, policy: str = "eu") -> list[WindowDraft]:
    """All final windows of a file; a window that waits for anything would never come."""
    source = FileSource.open(path, options, now_ns=0, warn=pytest.fail)
    aligner = Aligner(
        run="live",
        grid=GRID,
        timing=Timing(
            disorder_ns=300_000_000,
            wait_ns=dict.fromkeys(("audio", "frames", "transcripts"), NEVER_NS),
        ),
        look_back_ns={Modality.TEXT: 15 * SECOND_NS},
        new_gate=new_gate(policy),
    )
    drafts: list[WindowDraft] = []
    for closing in closings((item.record for item in records(source, pytest.fail)), aligner):
        drafts += closing.drafts
        aligner.stored(closing.key, unscored(closing))
    assert not aligner.take_misplaced()
    return drafts


def options(**changes: object) -> SourceOptions:
    return SourceOptions(**{"conversation": "c-1", "start_ns": START_NS, **changes})


def ends_s(drafts: list[WindowDraft], participant: str) -> list[int]:
    return [
        (draft.end_ns - START_NS) // SECOND_NS
        for draft in drafts
        if draft.participant == participant
    ]


def test_every_window_that_overlaps_the_file_comes_once_and_whole(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "call.mp4", seconds=4.4, sound_rate_hz=16_000)
    transcript = tmp_path / "call.srt"
    transcript.write_text("1\n00:00:01,000 --> 00:00:02,500\nHello there\n")
    drafts = windows(path, options(transcript=transcript))
    assert ends_s(drafts, "p-1") == [1, 2, 3, 4, 5, 6, 7]
    for draft in drafts:
        assert AbsenceReason.LATE not in draft.absent.values()
        assert not draft.partial
        window = to_window(draft, "live")
        heard_ns = sum(span.end_ns - span.start_ns for span in window.audio)
        overlap_ns = min(draft.end_ns, START_NS + 4_400_000_000) - max(draft.start_ns, START_NS)
        assert abs(heard_ns - overlap_ns) < 100_000_000
        assert len(window.frames) == round(overlap_ns * 2 / SECOND_NS + 0.4)
        assert bool(window.words) == (draft.end_ns >= START_NS + 2_500_000_000)


def test_a_channel_that_policy_forbids_has_no_windows_and_delays_nobody(tmp_path: Path) -> None:
    both = np.stack([tone(3.0, 16_000), tone(3.0, 16_000, 700.0)])
    path = write_sound(tmp_path / "two.wav", both, 16_000, layout="stereo")
    naming = Naming(channels=("customer", "agent"))
    drafts = windows(path, options(naming=naming))
    assert ends_s(drafts, "customer") == [1, 2, 3, 4, 5]
    assert ends_s(drafts, "agent") == []
    assert ends_s(windows(path, options(naming=naming), "research"), "agent") == [1, 2, 3, 4, 5]


def test_without_notice_there_are_no_windows(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "call.wav", tone(2.0, 16_000)[None], 16_000)
    assert windows(path, options(notice=False)) == []


def test_each_policy_leaves_what_it_permits(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "call.wav", tone(2.0, 16_000)[None], 16_000)
    transcript = tmp_path / "call.srt"
    transcript.write_text("1\n00:00:00,100 --> 00:00:01,000\nHello there\n")
    drafts = windows(path, options(transcript=transcript), "text-only")
    assert len(drafts) == 4
    for draft in drafts:
        assert draft.absent[Modality.SPEECH] is AbsenceReason.NOT_PERMITTED
        assert draft.segments
        assert not draft.audio
