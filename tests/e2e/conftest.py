"""A deployment on the real services, and three files that flow through it."""

from pathlib import Path

import pytest

from tests.e2e.running import Deployment


@pytest.fixture
def deployment(
    kafka_bootstrap: str, postgres_url: str, redis_url: str, tmp_path: Path
) -> Deployment:
    """Topics, tables, and a consumer group that begins now."""
    made = Deployment(
        kafka=kafka_bootstrap, database_url=postgres_url, cache_url=redis_url, folder=tmp_path
    )
    made.prepare()
    return made


@pytest.fixture
def three_files(shared_data: Path) -> list[Path]:
    """A call, a call in two channels, and a video with several faces."""
    clips = shared_data / "clips"
    names = ("two_speakers_19s.wav", "stereo_two_channel.wav", "several_faces_audio_10s.mp4")
    return [clips / name for name in names]
