"""Who is who in a file: by rule, by what the user said, or a question back."""

from pathlib import Path

import pytest

from inference.labels import Role
from streams.ingest.errors import WhoIsWhoError
from streams.ingest.media import MediaFile, PictureTrack, SoundTrack
from streams.ingest.parties import Naming, parties
from streams.ingest.transcripts import Words
from streams.records import Track

MONO = SoundTrack(0, "mono", ("FC",))
STEREO = SoundTrack(0, "stereo", ("FL", "FR"))
SMALL, LARGE = PictureTrack(0, 160, 120), PictureTrack(1, 640, 480)


def media(*sound: SoundTrack, pictures: tuple[PictureTrack, ...] = ()) -> MediaFile:
    return MediaFile(Path("call.wav"), sound, pictures, 1)


def said(*speakers: str | None) -> tuple[Words, ...]:
    return tuple(Words(n, n + 1, "words", name) for n, name in enumerate(speakers))


def test_mono_is_one_customer() -> None:
    (only,) = parties(media(MONO), None, Naming())
    assert (only.id, only.role, only.tracks) == ("p-1", Role.CUSTOMER, (Track.AUDIO,))


def test_stereo_without_names_is_one_participant_with_its_channels_mixed() -> None:
    (only,) = parties(media(STEREO), None, Naming())
    assert only.sound is not None
    assert only.sound.channel is None


def test_named_channels_become_participants_in_their_roles() -> None:
    named = parties(media(STEREO), None, Naming(channels=("customer", "agent")))
    assert [(p.id, p.role, p.sound and p.sound.channel) for p in named] == [
        ("customer", Role.CUSTOMER, 0),
        ("agent", Role.AGENT, 1),
    ]


def test_names_that_are_no_roles_take_the_role_of_everybody() -> None:
    named = parties(media(STEREO), None, Naming(channels=("ann", "bob"), role=Role.AGENT))
    assert [(p.id, p.role) for p in named] == [("ann", Role.AGENT), ("bob", Role.AGENT)]


def test_names_may_be_those_of_whole_tracks() -> None:
    tracks = media(STEREO, SoundTrack(1, "stereo", ("FL", "FR")))
    named = parties(tracks, None, Naming(channels=("customer", "agent")))
    assert [(p.sound and (p.sound.track.index, p.sound.channel)) for p in named] == [
        (0, None),
        (1, None),
    ]


@pytest.mark.parametrize(
    "channels", [("customer",) * 3, ("a", "a"), ("a/b", "c"), ("-", "c"), ("p-1", "c"), ("", "c")]
)
def test_names_that_do_not_fit_are_refused(channels: tuple[str, ...]) -> None:
    with pytest.raises(WhoIsWhoError):
        parties(media(STEREO), None, Naming(channels=channels))


def test_the_largest_picture_is_of_the_first_customer() -> None:
    naming = Naming(channels=("agent", "customer"))
    agent, customer = parties(media(STEREO, pictures=(SMALL, LARGE)), None, naming)
    assert agent.pictures is None
    assert customer.pictures == LARGE


def test_the_user_may_say_who_is_seen() -> None:
    naming = Naming(channels=("customer", "agent"), video_of="agent")
    customer, agent = parties(media(STEREO, pictures=(SMALL,)), None, naming)
    assert (customer.pictures, agent.pictures) == (None, SMALL)


@pytest.mark.parametrize("pictures", [(), (SMALL,)])
def test_nobody_is_seen_who_is_not_there(pictures: tuple[PictureTrack, ...]) -> None:
    with pytest.raises(WhoIsWhoError, match="--video-of"):
        parties(media(MONO, pictures=pictures), None, Naming(video_of="agent"))


def test_all_words_belong_to_the_only_participant() -> None:
    (only,) = parties(media(MONO), said("Diane", None), Naming())
    assert only.words is not None
    assert len(only.words) == 2


def test_speakers_map_to_roles_and_a_role_without_sound_has_words_alone() -> None:
    naming = Naming(speakers={"Diane": "customer", "Sheila": "agent"})
    diane, sheila = parties(media(MONO), said("Diane", "Sheila", "Sheila"), naming)
    assert (diane.id, len(diane.words or ())) == ("p-1", 1)
    assert (sheila.id, sheila.role, sheila.tracks) == ("agent", Role.AGENT, (Track.TRANSCRIPTS,))


def test_speakers_who_bear_the_name_of_a_participant_are_that_participant() -> None:
    naming = Naming(channels=("ann", "bob"))
    ann, bob = parties(media(STEREO), said("bob", "bob"), naming)
    assert (ann.words, len(bob.words or ())) == ((), 2)


def test_words_of_nobody_in_particular_are_a_question_back() -> None:
    naming = Naming(channels=("customer", "agent"))
    with pytest.raises(WhoIsWhoError, match=r"whose words .* Diane\?.*--speakers NAME=role"):
        parties(media(STEREO), said("Diane", "agent"), naming)


def test_a_speaker_who_says_nothing_is_a_slip_of_the_pen() -> None:
    with pytest.raises(WhoIsWhoError, match="the transcript has Diane"):
        parties(media(MONO), said("Diane"), Naming(speakers={"Dianne": "customer"}))


def test_a_role_that_two_play_needs_an_id() -> None:
    naming = Naming(channels=("ann", "bob"), speakers={"Diane": "customer"})
    with pytest.raises(WhoIsWhoError, match="any of ann, bob"):
        parties(media(STEREO), said("Diane"), naming)
