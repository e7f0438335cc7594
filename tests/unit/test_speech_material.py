from pathlib import Path

import pytest

from inference.labels import Emotion
from inference.training.calibration_lines import gather_lines
from inference.training.emodb import NoCorpusError
from inference.training.manifest import ManifestError, parse_labels
from inference.training.own_speech import read_own
from inference.training.speech import EMODB, RESEARCH
from inference.training.speech_material import OWN_LICENCE, NoMaterialError, gather


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Names of recordings, with nothing in them."""
    folder = tmp_path / "speech"
    folder.mkdir()
    for name in ("03a01Wa", "08a01Na", "16b10Fb"):
        (folder / f"{name}.flac").touch()
    (folder / "03-01-05-01-02-01-03.opus").touch()
    return folder


def _manifest(folder: Path, text: str, name: str = "calls.csv") -> Path:
    for file in ("a.wav", "b.wav"):
        (folder / file).touch()
    path = folder / name
    path.write_text(text)
    return path


def test_own_speakers_carry_the_name_of_their_manifest(tmp_path: Path) -> None:
    path = _manifest(tmp_path, "path,label,speaker\na.wav,joy,03\nb.wav,furious,\n")
    first, second = read_own(path, parse_labels("furious=anger")).clips
    assert (first.path, first.speaker, first.emotion) == (
        tmp_path / "a.wav",
        "calls/03",
        Emotion.JOY,
    )
    assert (second.speaker, second.emotion, second.word) == ("calls/line 3", "anger", "anger")


def test_own_recordings_come_beside_the_corpus_without_whom_the_demo_plays(
    corpus: Path, tmp_path: Path
) -> None:
    path = _manifest(tmp_path, "path,label,speaker\na.wav,joy,03\n")
    material = gather(corpus, [path])
    assert [clip.speaker for clip in material.clips] == ["08", "calls/03"]
    assert material.origin.name == "speech-emodb-own"
    assert material.origin.data.startswith(EMODB.data)
    assert "calls.csv" in material.origin.data
    assert material.origin.licence == f"Apache-2.0; {OWN_LICENCE}"
    assert gather(corpus).origin is EMODB


def test_own_recordings_alone_say_nothing_of_a_corpus(tmp_path: Path) -> None:
    path = _manifest(tmp_path, "path,label\na.wav,joy\n")
    material = gather(None, [path])
    assert [clip.path.name for clip in material.clips] == ["a.wav"]
    assert material.origin.name == "speech-own"
    assert material.origin.licence == OWN_LICENCE
    assert "EmoDB" not in material.origin.data


def test_two_manifests_are_both_taken_and_a_split_chooses_rows(tmp_path: Path) -> None:
    first = _manifest(tmp_path, "path,label,split\na.wav,joy,train\nb.wav,joy,test\n")
    second = _manifest(tmp_path, "path,label,split\nb.wav,fear,train\n", "more.csv")
    assert [clip.speaker for clip in gather(None, [first, second], split="train").clips] == [
        "calls/line 2",
        "more/line 2",
    ]


def test_research_takes_both_corpora_and_says_that_it_may_not_be_sold(corpus: Path) -> None:
    material = gather(corpus, recipe="research")
    assert [clip.speaker for clip in material.clips] == ["08", "ravdess/03"]
    assert material.origin is RESEARCH
    assert "research only" in RESEARCH.licence
    (corpus / "03-01-05-01-02-01-03.opus").unlink()
    with pytest.raises(NoCorpusError, match="no RAVDESS recording"):
        gather(corpus, recipe="research")


def test_nothing_and_what_excludes_each_other_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoMaterialError, match="name the folder of a corpus"):
        gather(None)
    with pytest.raises(NoMaterialError, match="research recipe is EmoDB and RAVDESS"):
        gather(None, [tmp_path / "calls.csv"], recipe="research")
    with pytest.raises(ManifestError, match=r"calls\.csv"):
        gather(None, [tmp_path / "calls.csv"])


def test_own_lines_come_beside_comments_or_alone(tmp_path: Path) -> None:
    (tmp_path / "ekman_dev.tsv").write_text("so glad\t3\tx\nhm\t3,4\ty\n")
    (tmp_path / "ekman_labels.txt").write_text("\n".join(Emotion))
    path = tmp_path / "calls.csv"
    path.write_text("text,label\nnot again,anger\n")
    both = gather_lines(tmp_path, [path])
    assert both.lines == (("so glad", Emotion.JOY), ("not again", Emotion.ANGER))
    assert both.data.startswith("GoEmotions dev split, CC BY 4.0; calls.csv")
    assert gather_lines(None, [path]).lines == both.lines[1:]
    with pytest.raises(NoMaterialError, match="--text, --add-text or both"):
        gather_lines(None)
