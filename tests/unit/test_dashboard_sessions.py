"""Sessions of the pages: how they begin, how they end, and that an id is worth nothing then."""

import pytest

from streams.serving.dashboard.door import sessions as module
from streams.serving.dashboard.door.sessions import ABSOLUTE_S, IDLE_S, Sessions


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def test_an_id_finds_its_session_and_no_other_id_does() -> None:
    sessions = Sessions(Clock())
    one, session = sessions.begin("key-1")
    two, other = sessions.begin("key-1")
    assert one != two
    assert sessions.find(one) is session
    assert sessions.find(two) is other
    assert sessions.find(one[:-1]) is None
    assert sessions.find("") is None


def test_only_digests_of_ids_are_kept() -> None:
    sessions = Sessions(Clock())
    session_id, _ = sessions.begin("key-1")
    assert session_id not in repr(sessions._known)


def test_a_session_that_nobody_uses_ends_and_an_open_page_is_use() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    session_id, session = sessions.begin("key-1")
    clock.now_s += IDLE_S - 1
    assert sessions.find(session_id) is session
    clock.now_s += IDLE_S - 1
    sessions.touch(session)
    clock.now_s += IDLE_S - 1
    assert sessions.alive(session)
    clock.now_s += 1
    assert not sessions.alive(session)
    assert sessions.find(session_id) is None


def test_a_session_ends_after_a_shift_however_much_it_is_used() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    session_id, session = sessions.begin("key-1")
    while clock.now_s < 1_000 + ABSOLUTE_S - 600:
        clock.now_s += 600
        assert sessions.find(session_id) is session
    clock.now_s += 600
    assert sessions.find(session_id) is None
    assert session.ended


def test_signing_out_ends_one_session_and_leaves_the_others() -> None:
    sessions = Sessions(Clock())
    one, session = sessions.begin("key-1")
    two, _ = sessions.begin("key-1")
    sessions.end(session)
    assert sessions.find(one) is None
    assert not sessions.alive(session)
    assert sessions.find(two) is not None


def test_the_session_that_was_not_used_for_longest_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    sessions = Sessions(Clock())
    one, _ = sessions.begin("key-1")
    two, second = sessions.begin("key-2")
    assert sessions.find(one) is not None
    sessions.begin("key-3")
    assert sessions.find(two) is None
    assert second.ended
    assert sessions.find(one) is not None


def test_the_api_is_asked_again_once_in_a_while() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    _, session = sessions.begin("key-1")
    assert not sessions.due(session, 60)
    clock.now_s += 60
    assert sessions.due(session, 60)
    assert not sessions.due(session, 60)
