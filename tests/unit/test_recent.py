import pytest

from inference.experts.recent import Recent, digest


def test_the_same_content_has_the_same_digest_and_its_parts_keep_their_borders() -> None:
    assert digest(b"ab", b"c") == digest(b"ab", b"c")
    assert len({digest(b"ab", b"c"), digest(b"a", b"bc"), digest(b"abc"), digest(b"", b"abc")}) == 4


def test_what_is_kept_is_made_once() -> None:
    made: list[int] = []
    recent: Recent[int] = Recent(2)

    def make() -> int:
        made.append(1)
        return 0  # a value that is false is a value

    assert [recent.once(b"key", make) for _ in range(3)] == [0, 0, 0]
    assert len(made) == 1


def test_of_too_many_the_longest_unused_goes() -> None:
    recent: Recent[str] = Recent(2)
    recent.keep(b"a", "a")
    recent.keep(b"b", "b")
    assert recent.find(b"a") == "a"
    recent.keep(b"c", "c")
    assert len(recent) == 2
    assert [recent.find(key) for key in (b"a", b"b", b"c")] == ["a", None, "c"]


def test_a_failure_is_not_remembered() -> None:
    recent: Recent[int] = Recent(2)

    def fail() -> int:
        raise RuntimeError("once")

    with pytest.raises(RuntimeError, match="once"):
        recent.once(b"key", fail)
    assert recent.once(b"key", lambda: 7) == 7
