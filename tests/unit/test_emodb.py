from pathlib import Path

import pytest

from inference.labels import Emotion
from inference.training.emodb import Category, NoCorpusError, find_clips


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_name_tells_speaker_and_category_and_boredom_is_neutral(tmp_path: Path) -> None:
    _touch(tmp_path, "deep/03a01Wa.flac", "16b10Lb.opus", "08a02Ac.wav")
    fear, bored, angry = sorted(find_clips(tmp_path), key=lambda clip: clip.category)
    assert (fear.speaker, fear.emotion) == ("08", Emotion.FEAR)
    assert (bored.speaker, bored.category, bored.emotion) == (
        "16",
        Category.BOREDOM,
        Emotion.NEUTRAL,
    )
    assert (angry.speaker, angry.emotion) == ("03", Emotion.ANGER)


def test_other_files_are_passed_over_and_a_recording_in_two_formats_counts_once(
    tmp_path: Path,
) -> None:
    _touch(tmp_path, "03a01Wa.flac", "03a01Wa.opus", "03a01Wa.txt", "notes.wav", "03a01Xa.wav")
    (clip,) = find_clips(tmp_path)
    assert clip.path.name == "03a01Wa.flac"


def test_a_folder_without_recordings_says_which_names_are_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NoCorpusError, match="03a01Wa"):
        find_clips(tmp_path)
