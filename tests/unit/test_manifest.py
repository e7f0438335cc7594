from pathlib import Path

import pytest

from inference.labels import Emotion
from inference.training.manifest import ManifestError, parse_labels, read_manifest


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_row_is_an_item_with_its_groups(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'Text,label,speaker,split,language,sex\n"well, no",Anger,s1,test,en,f\nfine,joy,,test,,\n',
    )
    first, second = read_manifest(path, "text").items
    assert (first.text, first.label, first.speaker, first.line) == (
        "well, no",
        Emotion.ANGER,
        "s1",
        2,
    )
    assert first.groups == {"language": "en", "sex": "f"}
    assert (second.speaker, second.language, second.groups) == (None, "und", {})


def test_paths_are_relative_to_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.wav").touch()
    items = read_manifest(written(tmp_path, "path,label\nclips/a.wav,fear\n"), "path").items
    assert items[0].path == tmp_path / "clips" / "a.wav"


def test_labels_are_renamed_or_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "text,label\na,Happy\nb,contempt\nc,anger\n")
    manifest = read_manifest(path, "text", labels=parse_labels("happy=joy, contempt="))
    assert [item.label for item in manifest.items] == [Emotion.JOY, Emotion.ANGER]
    assert "2 of 3 rows" in manifest.about["manifest"]


def test_a_split_is_judged_alone_and_its_other_rows_may_be_wrong(tmp_path: Path) -> None:
    path = written(tmp_path, "text,label,split\na,joy,test\nb,nonsense,train\n")
    assert [item.text for item in read_manifest(path, "text", split="test").items] == ["a"]


def test_a_column_that_names_each_item_makes_no_groups(tmp_path: Path) -> None:
    rows = "".join(f"t,joy,{number},{number % 2}\n" for number in range(21))
    manifest = read_manifest(written(tmp_path, f"text,label,id,half\n{rows}"), "text")
    assert set(manifest.items[0].groups) == {"half"}
    assert manifest.about["no groups"] == "id: more than 20 values"


def test_words_may_hold_any_kind_of_line_end(tmp_path: Path) -> None:
    path = written(tmp_path, '\ufefftext,label\na\u2028b,joy\n"c\nd",joy\n')
    assert [item.text for item in read_manifest(path, "text").items] == ["a\u2028b", "c\nd"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column path and no column label"),
        ("path;label\n", "here they are: path;label"),
        ("path,label,label\n", "two columns 'label'"),
        ("path,label\n", "no rows under"),
        ("path,label\na.wav\n", "line 2: 1 cells under 2 columns"),
        ('path,label\n"a.wav,joy\n', "no CSV"),
        ("path,label\n\na.wav,joy\n", "line 3, column path: no file"),
        ("path,label\n,joy\n", "line 2, column path: empty"),
        ("path,label\na.wav,\n", "line 2, column label: empty; write one of anger"),
        (
            "path,label\na.wav,joyful\n",
            "say what it means with --labels joyful=EMOTION, or leave such rows out with",
        ),
    ],
)
def test_an_error_says_where_it_is_and_what_to_change(text: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ManifestError) as caught:
        read_manifest(path, "path")
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_split_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    path = written(tmp_path, "text,label,split\na,joy,train\nb,joy,train\nc,joy,\n")
    with pytest.raises(ManifestError, match=r"no row with 'test'; there are empty \(1\), train"):
        read_manifest(path, "text", split="test")
    with pytest.raises(ManifestError, match="no column split"):
        read_manifest(written(tmp_path, "text,label\n"), "text", split="test")


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="check --manifest"):
        read_manifest(tmp_path / "missing.csv", "text")
    path = tmp_path / "latin.csv"
    path.write_bytes("text,label\nschön,joy\n".encode("latin-1"))
    with pytest.raises(ManifestError, match="line 2: not UTF-8"):
        read_manifest(path, "text")
    skipped = written(tmp_path, "text,label\na,joy\n")
    with pytest.raises(ManifestError, match="leaves all 1 rows out"):
        read_manifest(skipped, "text", labels=parse_labels("joy="))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("happy", "'happy' is no `name=emotion`"),
        ("=joy", "'=joy' is no `name=emotion`"),
        ("happy=glad", "'glad' is none of anger"),
        ("happy=joy,Happy=neutral", "'happy' is given two meanings"),
    ],
)
def test_meanings_that_are_none_are_refused(text: str, said: str) -> None:
    with pytest.raises(ManifestError, match="--labels") as caught:
        parse_labels(text)
    assert said in str(caught.value)
