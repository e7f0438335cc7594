"""Who is who in a file: which participant owns which channel, picture and words."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from inference.labels import Role
from streams.ingest.errors import WhoIsWhoError
from streams.ingest.media import MediaFile, PictureTrack, SoundTrack
from streams.ingest.transcripts import Words
from streams.records import Id, Track

NOBODY: Final = "-"
"""Stands for the whole conversation in control events, so nobody may be called that."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What of a sound track belongs to one participant."""

    track: SoundTrack
    channel: int | None
    """None: all channels mixed."""


@dataclass(frozen=True, slots=True)
class Party:
    """One participant and what the file holds of them."""

    id: str
    role: Role
    sound: Sound | None = None
    pictures: PictureTrack | None = None
    words: tuple[Words, ...] | None = None
    """None: nobody transcribed them. Empty: they were, and said nothing."""

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The tracks to declare."""
        present = (
            (Track.AUDIO, self.sound),
            (Track.FRAMES, self.pictures),
            (Track.TRANSCRIPTS, self.words),
        )
        return tuple(track for track, media in present if media is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What the user says about who is who."""

    channels: tuple[str, ...] = ()
    """A name for each channel (or each sound track); a name that is a role gives the role."""
    role: Role = Role.CUSTOMER
    """Of everybody whose name is no role."""
    video_of: str | None = None
    """Id or role of who is seen. None: the first customer."""
    speakers: Mapping[str, str] = field(default_factory=dict)
    """Transcript speaker to id or role."""


def parties(media: MediaFile, words: tuple[Words, ...] | None, naming: Naming) -> tuple[Party, ...]:
    """Give sound, pictures and words of a file their owners.

    Without `channels` each sound track is one participant `p-1`, `p-2`, …, its channels
    mixed. Speakers map by `speakers`, else by their own name, else to the only
    participant; a role that no sound belongs to makes a participant of words alone.

    Raises WhoIsWhoError where the names do not fit the file.
    """
    heard = _heard(media, naming)
    seen = _seen(media, heard, naming.video_of)
    if words is None:
        return seen
    return _transcribed(seen, words, naming.speakers, str(media.path))


def _heard(media: MediaFile, naming: Naming) -> tuple[Party, ...]:
    if not naming.channels:
        count = max(1, len(media.sound))  # pictures without sound still have somebody in them
        sounds = [Sound(track, None) for track in media.sound]
        return tuple(
            Party(f"p-{number + 1}", naming.role, sounds[number] if sounds else None)
            for number in range(count)
        )
    names = naming.channels
    apart = [Sound(track, index) for track in media.sound for index in range(len(track.channels))]
    mixed = [Sound(track, None) for track in media.sound]
    owned = next((sounds for sounds in (apart, mixed) if len(sounds) == len(names)), None)
    if owned is None:
        raise WhoIsWhoError(
            f"{media.path}: --channels names {len(names)}, the file has {len(apart)} "
            f"channels in {len(mixed)} sound tracks: name each channel, or each track"
        )
    if len(set(names)) < len(names):
        raise WhoIsWhoError(f"--channels {','.join(names)}: each name may be given once")
    for name in names:
        _check_id(name)
    return tuple(
        Party(name, Role(name) if name in set(Role) else naming.role, sound)
        for name, sound in zip(names, owned, strict=True)
    )


def _seen(
    media: MediaFile, everybody: tuple[Party, ...], video_of: str | None
) -> tuple[Party, ...]:
    """The largest video track belongs to one participant."""
    if not media.pictures:
        if video_of is not None:
            raise WhoIsWhoError(f"{media.path}: --video-of {video_of}, but there is no video")
        return everybody
    largest = max(media.pictures, key=lambda track: track.width * track.height)
    if video_of is not None:
        owner = _find(video_of, everybody, "--video-of")
        if owner is None:
            ids = ", ".join(party.id for party in everybody)
            raise WhoIsWhoError(f"{media.path}: --video-of {video_of}: participants are {ids}")
    else:
        customers = (party for party in everybody if party.role is Role.CUSTOMER)
        owner = next(customers, everybody[0])
    return tuple(
        replace(party, pictures=largest) if party is owner else party for party in everybody
    )


def _transcribed(
    everybody: tuple[Party, ...],
    words: tuple[Words, ...],
    speakers: Mapping[str, str],
    path: str,
) -> tuple[Party, ...]:
    present = {spoken.speaker for spoken in words}
    unheard = sorted(set(speakers) - {name for name in present if name is not None})
    if unheard:
        raise WhoIsWhoError(
            f"--speakers names {', '.join(unheard)}; the transcript has {_listed(present)}"
        )
    ids: dict[str | None, str] = {}
    unmapped: list[str | None] = []
    grown = everybody
    for name in sorted(present, key=str):
        if name is not None and name in speakers:
            owner = _find(speakers[name], grown, "--speakers")
            if owner is None:
                owner = _words_only(speakers[name])
                grown = (*grown, owner)
            ids[name] = owner.id
        elif name in {party.id for party in everybody}:
            ids[name] = str(name)
        elif len(everybody) == 1:
            ids[name] = everybody[0].id
        else:
            unmapped.append(name)
    if unmapped:
        raise WhoIsWhoError(
            f"{path}: whose words are those of {_listed(unmapped)}? Participants are "
            f"{', '.join(party.id for party in everybody)}: say --speakers NAME=role,…"
        )
    said = {party.id: [w for w in words if ids[w.speaker] == party.id] for party in grown}
    return tuple(replace(party, words=tuple(said[party.id])) for party in grown)


def _find(name: str, everybody: tuple[Party, ...], option: str) -> Party | None:
    """The participant called `name`, or else the only one with that role."""
    for party in everybody:
        if party.id == name:
            return party
    playing = [party for party in everybody if party.role == name]
    if len(playing) > 1:
        ids = ", ".join(party.id for party in playing)
        raise WhoIsWhoError(f"{option}: {name} may be any of {ids}: give the id instead")
    return playing[0] if playing else None


def _words_only(name: str) -> Party:
    if name not in set(Role):
        raise WhoIsWhoError(
            f"--speakers: {name!r} is no participant and none of the roles {', '.join(Role)}"
        )
    return Party(name, Role(name))


def _check_id(name: str) -> None:
    try:
        msgspec.convert(name, Id)
    except msgspec.ValidationError as exc:
        raise WhoIsWhoError(f"{name!r} cannot be an id: {exc}") from exc
    if name == NOBODY or re.fullmatch(r"p-\d+", name):
        raise WhoIsWhoError(f"{name!r} cannot be an id: it is kept for participants without a name")


def _listed(names: Iterable[str | None]) -> str:
    return ", ".join(sorted("(no speaker named)" if name is None else name for name in names))
