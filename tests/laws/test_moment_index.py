"""The index of moments against the definition: filter, then rank everything that is left."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.labels import EMOTIONS, Emotion, Role
from storage.moment_index import MomentIndex
from storage.moments import (
    Candidate,
    IndexedMoment,
    MomentFilter,
    MomentKey,
    Standing,
    Timeline,
    Vector,
    order,
)
from tests.moments import exact_vectors

pytestmark = pytest.mark.laws

NAMES = st.sampled_from(["c-1", "c-2", "c-3"])
PARTIES = st.sampled_from(["p-1", "p-2"])
QUEUES = {"c-1": "billing", "c-2": "sales", "c-3": "billing"}
TENTHS = st.integers(0, 10).map(lambda tenth: tenth / 10)


@st.composite
def some_moments(draw: st.DrawFn) -> list[IndexedMoment]:
    keys = draw(
        st.lists(st.builds(MomentKey, NAMES, PARTIES, st.integers(0, 12)), unique=True, max_size=40)
    )
    return [
        IndexedMoment(
            key=key,
            end_ns=key.start_ns + 3,
            vector=draw(exact_vectors()),
            queue=QUEUES[key.conversation],
            role=draw(st.sampled_from(Role)),
            label=draw(st.none() | st.sampled_from(EMOTIONS)),
            distress=draw(st.none() | TENTHS),
        )
        for key in sorted(keys)
    ]


filters = st.builds(
    MomentFilter,
    emotion=st.none() | st.sampled_from([Emotion.ANGER, Emotion.NEUTRAL]),
    participant=st.none() | PARTIES,
    role=st.none() | st.sampled_from(Role),
    conversation=st.none() | NAMES,
    queue=st.none() | st.sampled_from(["billing", "sales", "nobody's"]),
    from_ns=st.none() | st.integers(0, 12),
    to_ns=st.none() | st.integers(0, 12),
    min_distress=st.none() | TENTHS,
)
sometimes = st.one_of(st.just(MomentFilter()), filters)


def admits(wanted: MomentFilter, one: IndexedMoment) -> bool:
    return (
        wanted.emotion in {None, one.label}
        and wanted.participant in {None, one.key.participant}
        and wanted.role in {None, one.role}
        and wanted.conversation in {None, one.key.conversation}
        and wanted.queue in {None, one.queue}
        and (wanted.from_ns is None or one.key.start_ns >= wanted.from_ns)
        and (wanted.to_ns is None or one.key.start_ns < wanted.to_ns)
        and (
            wanted.min_distress is None
            or (one.distress is not None and one.distress >= wanted.min_distress)
        )
    )


def by_definition(
    moments: Sequence[IndexedMoment], query: Vector, wanted: MomentFilter, most: int
) -> list[Candidate]:
    near = [
        Candidate(one.key, one.end_ns, float(one.vector.astype(np.float64) @ query))
        for one in moments
        if admits(wanted, one)
    ]
    return sorted(near, key=lambda one: order(one.similarity, one.key))[:most]


def indexed(moments: Sequence[IndexedMoment]) -> MomentIndex:
    index = MomentIndex()
    index.add(moments)
    return index


@given(some_moments(), exact_vectors(), sometimes, st.integers(1, 12))
def test_it_ranks_as_looking_at_everything_would(
    moments: list[IndexedMoment], query: Vector, wanted: MomentFilter, most: int
) -> None:
    found = indexed(moments).rank(query, wanted, most)
    assert found == by_definition(moments, query, wanted, most)


@dataclass(frozen=True)
class Arrival:
    moments: list[IndexedMoment]
    another: list[IndexedMoment]
    """The same, timelines mixed otherwise; each ascends as before."""


@st.composite
def arrivals(draw: st.DrawFn) -> Arrival:
    moments = draw(some_moments())
    places = draw(st.permutations([one.key.timeline for one in moments]))
    left = {name: [one for one in moments if one.key.timeline == name] for name in set(places)}
    return Arrival(moments, [left[name].pop(0) for name in places])


@given(arrivals(), st.data(), exact_vectors(), sometimes)
def test_order_of_arrival_and_pieces_do_not_matter(
    arrival: Arrival, data: st.DataObject, query: Vector, wanted: MomentFilter
) -> None:
    pieces = MomentIndex()
    rest = arrival.another
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        pieces.add(rest[:size])
        rest = rest[size:]
    whole = indexed(arrival.moments)
    assert pieces.rank(query, wanted, 10) == whole.rank(query, wanted, 10)


@given(some_moments(), exact_vectors(), st.integers(0, 40))
def test_what_comes_again_is_there_once(
    moments: list[IndexedMoment], query: Vector, again: int
) -> None:
    index = indexed(moments)
    index.add(moments[:again])
    index.add(moments)
    assert len(index) == len(moments)
    assert index.rank(query, MomentFilter(), 80) == by_definition(
        moments, query, MomentFilter(), 80
    )


@given(some_moments(), st.sets(st.builds(Timeline, NAMES, PARTIES)), exact_vectors(), sometimes)
def test_dropped_timelines_are_as_if_they_never_came(
    moments: list[IndexedMoment], gone: set[Timeline], query: Vector, wanted: MomentFilter
) -> None:
    index = indexed(moments)
    index.drop(gone)
    left = [one for one in moments if one.key.timeline not in gone]
    assert len(index) == len(left)
    assert index.rank(query, wanted, 80) == by_definition(left, query, wanted, 80)
    index.add(moments)
    assert index.rank(query, wanted, 80) == by_definition(moments, query, wanted, 80)


@given(some_moments(), st.integers(0, 40), exact_vectors())
@settings(max_examples=50)
def test_where_room_is_short_the_timelines_that_closed_first_go_whole(
    moments: list[IndexedMoment], most: int, query: Vector
) -> None:
    index = indexed(moments)
    closed = dict.fromkeys((one.key.timeline for one in moments), 0)
    for one in moments:
        closed[one.key.timeline] = one.key.start_ns
    index.read({name: Standing(until_ns, 0) for name, until_ns in closed.items()})
    assert index.trim(most) == (len(moments) > most)
    kept = set(index.standings)
    assert len(index) <= most
    left = [one for one in moments if one.key.timeline in kept]
    assert index.rank(query, MomentFilter(), 80) == by_definition(left, query, MomentFilter(), 80)
    for gone in set(closed) - kept:
        assert all((closed[gone], gone) < (closed[name], name) for name in kept)
