"""Feature tables: how they are joined, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from inference.labels import Modality
from inference.networks.folder import WeightsError
from inference.training.fusion.from_tables import NoTruthError, TableFuser
from inference.training.fusion.sample_tables import write_sample_tables
from inference.training.fusion.tables import TableError, read_tables

pytestmark = pytest.mark.unit


def tables(folder: Path, **texts: str) -> dict[str, Path]:
    paths = {}
    for modality, text in texts.items():
        paths[modality] = folder / f"{modality}.csv"
        paths[modality].write_text(text)
    return paths


def test_tables_are_joined_by_id_and_what_is_missing_is_absent(tmp_path: Path) -> None:
    paths = tables(
        tmp_path,
        text="id,speaker,label,a,b\n2,p,sad,1,2\n1,q,glad,3,4\n",
        speech="id,label,speaker,c\n2,sad,p,5\n3,,r,6\n",
    )
    samples = read_tables(paths)
    assert samples.ids.tolist() == ["1", "2", "3"]
    assert samples.speakers.tolist() == ["q", "p", "r"]
    assert samples.labels.tolist() == ["glad", "sad", ""]
    assert list(samples.vectors) == [Modality.SPEECH, Modality.TEXT]
    assert samples.vectors[Modality.TEXT].tolist() == [[3, 4], [1, 2], [0, 0]]
    assert samples.present[Modality.SPEECH].tolist() == [False, True, True]
    assert samples.without("speech").ids.tolist() == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("id,label,a\n1,x,1\n", "columns id and speaker"),
        ("id,speaker,a\n1,p,x\n", "row 1: a feature is no number"),
        ("id,speaker,a\n1,p,nan\n", "not finite"),
        ("id,speaker,a\n1,p,1\n1,p,1\n", "row 2: 1 comes twice"),
        ("id,speaker,label\n1,p,x\n", "no features"),
        ("id,speaker,a\n9,other,1\n", "but .* in another table"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    paths = tables(tmp_path, speech="id,speaker,label,c\n9,p,x,1\n", text=text)
    with pytest.raises(TableError, match=complaint):
        read_tables(paths)


def test_a_table_of_nothing_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="name at least one of"):
        read_tables({"smell": tmp_path / "smell.csv"})
    with pytest.raises(TableError, match="cannot be read"):
        read_tables({"text": tmp_path / "none.csv"})


def test_parquet_holds_the_same_as_csv(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    csv = pytest.importorskip("pyarrow.csv")
    paths = write_sample_tables(tmp_path, speakers=3, each=4)
    for path in paths.values():
        parquet.write_table(csv.read_csv(path), path.with_suffix(".parquet"))
    one = read_tables(paths)
    other = read_tables({name: path.with_suffix(".parquet") for name, path in paths.items()})
    assert one.ids.tolist() == other.ids.tolist()
    for modality, vectors in one.vectors.items():
        np.testing.assert_array_equal(vectors, other.vectors[modality])


def test_sample_tables_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    once, twice, other = (
        write_sample_tables(tmp_path / name, speakers=2, each=3, seed=seed)["text"].read_text()
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert once == twice != other


def test_what_is_absent_is_not_read(tmp_path: Path) -> None:
    samples = read_tables(write_sample_tables(tmp_path, speakers=4, each=18, seed=2))
    model = TableFuser.train(samples, fusion="attention", epochs=1, seed=0)
    less = samples.without("face")
    there = model.log_probs(less)
    less.vectors[Modality.FACE][:] = 1e3
    np.testing.assert_allclose(model.log_probs(less), there)
    np.testing.assert_allclose(np.exp(there).sum(axis=1), 1, atol=1e-6)


def test_labels_are_needed_to_learn_and_weights_to_load(tmp_path: Path) -> None:
    paths = tables(tmp_path, text="id,speaker,a\n1,p,1\n2,q,2\n")
    with pytest.raises(NoTruthError, match="2 of 2"):
        TableFuser.train(read_tables(paths))
    with pytest.raises(WeightsError, match="TableFuser"):
        TableFuser.load(tmp_path)
