from pathlib import Path

import numpy as np
import pytest

from inference.training.heard_cache import CacheFolderError, Heard, HeardCache

KEY = ("encoder", 3)


def _heard(number: float) -> dict[str, Heard]:
    return {
        form: Heard(np.full(4, number + place, dtype=np.float32), number, -90.0 - place)
        for place, form in enumerate(("wideband", "bad line"))
    }


def _same(one: dict[str, Heard], other: dict[str, Heard]) -> bool:
    return set(one) == set(other) and all(
        np.array_equal(one[form].embedding, other[form].embedding)
        and np.array_equal(
            (one[form].effort_db, one[form].beyond_db),
            (other[form].effort_db, other[form].beyond_db),
            equal_nan=True,
        )
        for form in one
    )


def _never() -> dict[str, Heard]:
    raise AssertionError("heard again")


def test_what_was_heard_once_is_not_heard_again(tmp_path: Path) -> None:
    first = HeardCache(tmp_path / "heard").get(KEY, lambda: _heard(1.0))
    again = HeardCache(tmp_path / "heard").get(KEY, _never)
    assert _same(first, _heard(1.0))
    assert _same(again, first)


def test_silence_keeps_that_it_has_no_effort(tmp_path: Path) -> None:
    cache = HeardCache(tmp_path)
    cache.get(KEY, lambda: _heard(float("nan")))
    assert np.isnan(cache.get(KEY, _never)["wideband"].effort_db)


def test_another_key_is_another_answer(tmp_path: Path) -> None:
    cache = HeardCache(tmp_path)
    for number, key in enumerate((("a", 1), ("a", 2), ("a", "1", ""), ("a1",), ())):
        assert _same(cache.get(key, lambda n=number: _heard(float(n))), _heard(float(number)))


def test_without_a_folder_everything_is_heard_each_time() -> None:
    calls: list[int] = []
    for _ in range(2):
        HeardCache().get(KEY, lambda: calls.append(1) or _heard(1.0))
    assert len(calls) == 2


def test_a_torn_file_is_heard_anew(tmp_path: Path) -> None:
    cache = HeardCache(tmp_path)
    cache.get(KEY, lambda: _heard(1.0))
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    for length in (0, 5, file.stat().st_size - 1):
        file.write_bytes(file.read_bytes()[:length])
        assert _same(cache.get(KEY, lambda: _heard(2.0)), _heard(2.0))
        assert _same(cache.get(KEY, _never), _heard(2.0))


def test_a_training_that_is_broken_off_leaves_nothing_half_done(tmp_path: Path) -> None:
    def broken_off() -> dict[str, Heard]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        HeardCache(tmp_path).get(KEY, broken_off)
    assert list(tmp_path.rglob("*")) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "heard"
    taken.write_text("a file")
    with pytest.raises(CacheFolderError, match=r"heard: cannot keep what was heard .* --cache"):
        HeardCache(taken).get(KEY, lambda: _heard(1.0))
    assert taken.read_text() == "a file"
