"""The words for every claim. The first of each is the template's; all of them are read.

A label is never said of a person but only of how listeners would describe what they hear:
there is no pattern for "the customer was angry", so such a clause cannot pass the check.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from inference.labels import Emotion, Modality, Role
from inference.narrator.cues import CueKind
from inference.narrator.incident import FigureName
from inference.narrator.statement import Distress, Share, Support

ROLES: Final = MappingProxyType(
    {
        Role.CUSTOMER: ("the customer", "the caller", "the client"),
        Role.AGENT: ("the agent", "the representative", "the adviser"),
        Role.BOT: ("the bot", "the automatic assistant"),
        Role.UNKNOWN: ("the participant", "this participant", "the speaker"),
    }
)
LABELS: Final[Mapping[Emotion | Distress, tuple[str, ...]]] = MappingProxyType(
    {
        Emotion.ANGER: ("angry", "cross"),
        Emotion.DISGUST: ("disgusted",),
        Emotion.FEAR: ("fearful", "afraid", "frightened"),
        Emotion.JOY: ("joyful", "glad", "happy"),
        Emotion.NEUTRAL: ("neutral",),
        Emotion.SADNESS: ("sad", "sorrowful"),
        Emotion.SURPRISE: ("surprised",),
        Distress.LIKELY: ("distressed", "in distress"),
    }
)
MODALITIES: Final = MappingProxyType(
    {
        Modality.SPEECH: ("the voice", "the sound of the voice"),
        Modality.TEXT: ("the words", "what was said"),
        Modality.FACE: ("the face", "the facial expression"),
    }
)
SUPPORTS: Final = MappingProxyType(
    {
        Support.FIRM: ("firm", "strong"),
        Support.FAIR: ("fair", "moderate"),
        Support.THIN: ("thin", "weak"),
    }
)

CALLED: Final = (
    "{who} would be called {word}{when}",
    "{who} would (most likely|probably|most often) be called {word}{when}",
    "listeners would (|most likely |probably |mostly )call {who} {word}{when}",
    "most listeners would call {who} {word}{when}",
    "{who} sounded {word} to the models{when}",
    "{who} came across (to the models |)as {word}{when}",
    "the models (heard|read|took) {who} as {word}{when}",
    "{front}{who} would (|most likely |probably )be called {word}",
    "{front}listeners would (|most likely |probably )call {who} {word}",
    "{front}{who} sounded {word} to the models",
    "{who} (is|was) estimated to be heard as {word}{when}",
    "how {who} sounded would (|most likely |probably )be called {word}{when}",
)
STRONGEST: Final = (
    "at the strongest moment, {moment}, {who} would be called {word}",
    "at its (strongest|height), {moment}, {who} would (|most likely |probably )be called {word}",
    "{who} would (|most likely |probably )be called {word} at the strongest moment, {moment}",
    "listeners would call {who} {word} at the strongest moment, {moment}",
    "the strongest moment (was|came) at {moment}, when {who} would be called {word}",
    "the strongest moment (was|came) at {moment}, when listeners would call {who} {word}",
)
RAISED: Final = (
    "{who} would be called distressed more often than usual{when}",
    "{who} would be called distressed (at least twice as often as usual|far above usual){when}",
    "listeners would call {who} distressed more often than usual{when}",
    "{front}{who} would be called distressed more often than usual",
    "{front}listeners would call {who} distressed more often than usual",
    "{who} sounded more distressed than usual to the models{when}",
    "distress (was heard|was estimated) at least twice as often as usual (for|of) {who}{when}",
)
USUAL: Final = (
    "{who} would be called distressed no more often than usual{when}",
    "listeners would call {who} distressed no more often than usual{when}",
    "{who} sounded no more distressed than usual to the models{when}",
    "the estimate of distress for {who} stayed near its usual level{when}",
)
UNNAMED: Final = (
    "no single emotion could be named for {who}{when}",
    "the models (named|could name) no single emotion for {who}{when}",
    "{front}no single emotion could be named for {who}",
    "what was heard of {who} (fits|fitted) no single emotion{when}",
)
DISAGREE: Final = (
    "the signs from {who} pointed in different directions{when}",
    "(what was said and how it was said|words, voice and face) did not agree for {who}{when}",
    "{front}the signs from {who} pointed in different directions",
    "the channels of {who} contradicted each other{when}",
)
SILENT: Final = (
    "nothing was heard from {who}{when}",
    "{who} said nothing that (was|could be) scored{when}",
    "{front}nothing was heard from {who}",
    "neither voice nor words of {who} were there to be scored{when}",
)
NOTHING: Final = (
    "nothing of {who} could be scored here",
    "there was nothing of {who} to be scored",
    "nothing was scored here",
)
MOVED: Final = MappingProxyType(
    {
        True: (
            "the voice of {who} was well above its own usual{when}",
            "{who} spoke with a voice well above (the|its) usual one{when}",
            "{front}the voice of {who} was well above its own usual",
            "the voice of {who} was more aroused than usual{when}",
        ),
        False: (
            "the voice of {who} was well below its own usual{when}",
            "{who} spoke with a voice well below (the|its) usual one{when}",
            "{front}the voice of {who} was well below its own usual",
            "the voice of {who} was less aroused than usual{when}",
        ),
    }
)
CUES: Final = MappingProxyType(
    {
        CueKind.PITCH_UP: ("the pitch was (above|higher than) usual", "pitch (rose|went up)"),
        CueKind.PITCH_DOWN: ("the pitch was (below|lower than) usual", "pitch (fell|went down)"),
        CueKind.LIVELIER: ("the melody of speech was livelier than usual", "speech grew livelier"),
        CueKind.FLATTER: ("the melody of speech was flatter than usual", "speech grew flatter"),
        CueKind.LOUDER: ("the voice was raised", "a raised voice was heard"),
        CueKind.SOFTER: ("the voice was soft", "a soft voice was heard"),
        CueKind.FASTER: ("speech was faster than usual", "the pace went up"),
        CueKind.SLOWER: ("speech was slower than usual", "the pace went down"),
        CueKind.COMPLAINT: ("the words held a complaint", "a complaint was made in words"),
        CueKind.WORRY: ("the words held a worry", "a worry was put in words"),
        CueKind.LOSS: ("the words spoke of a loss", "a loss was put in words"),
        CueKind.CALM: ("the words held a calm phrase", "a calm phrase was used"),
        CueKind.ANGRY_WORDS: ("the words were those of anger", "words of anger were used"),
        CueKind.DISGUSTED_WORDS: ("the words were those of disgust", "words of disgust were used"),
        CueKind.FEARFUL_WORDS: ("the words were those of fear", "words of fear were used"),
        CueKind.GLAD_WORDS: ("the words were those of joy", "words of joy were used"),
        CueKind.SAD_WORDS: ("the words were those of sadness", "words of sadness were used"),
        CueKind.SURPRISED_WORDS: (
            "the words were those of surprise",
            "words of surprise were used",
        ),
        CueKind.DISTRESSED_WORDS: (
            "the words were those of distress",
            "words of distress were used",
        ),
        CueKind.SMILE: ("a smile was seen", "the corners of the mouth were up"),
        CueKind.WIDE_OPEN: (
            "eyes, jaw or brows were wide open",
            "wide open eyes, jaw or brows were seen",
        ),
    }
)
"""Each is followed by a moment; `OTHER` has no words."""
RESTS: Final = MappingProxyType(
    {
        Share.MOST: (
            "the estimate rests mostly on {modality}",
            "the estimate (rests|is based) (mainly|chiefly|for the most part) on {modality}",
            "(most of it|most of the estimate) comes from {modality}",
        ),
        Share.ALL: (
            "the estimate rests on {modality} alone",
            "the estimate (rests|is based) (only|solely) on {modality}",
            "nothing but {modality} was there to go by",
        ),
    }
)
SURE: Final = (
    "the evidence is {support}",
    "the (evidence for this|evidence behind it|support for this) is {support}",
    "this is said on {support} evidence",
)
SAID: Final = (
    "{who} said {quote}{when}",
    "the words were {quote}{when}",
    "the transcript of {who} has {quote}{when}",
)
COUNTED: Final = MappingProxyType(
    {
        FigureName.PEAK: (
            "the estimate of distress was {number} % at its highest",
            "distress (peaked at|reached) an estimated {number} %",
            "the highest estimate of distress was {number} %",
        ),
        FigureName.DWELL_S: (
            "this lasted {number} seconds",
            "it went on for {number} seconds",
            "the whole of it took {number} seconds",
        ),
        FigureName.WINDOWS: (
            "{number} windows were scored",
            "the record holds {number} scored windows",
        ),
        FigureName.DISTRESSED_SHARE: (
            "distress was heard at least twice as often as usual in {number} % of the windows",
            "in {number} % of the windows distress was at least twice as likely as usual",
        ),
        FigureName.ABSTAINED_SHARE: (
            "no emotion was named in {number} % of the windows",
            "the models named no emotion in {number} % of the windows",
        ),
        FigureName.LABELLED_SHARE: (
            "{number} % of the windows would be called {word}",
            "listeners would call {number} % of the windows {word}",
        ),
        FigureName.CONVERSATIONS: (
            "conversations with scores: {number}",
            "the number of scored conversations was {number}",
        ),
        FigureName.ALERTS: (
            "alerts that fired: {number}",
            "the number of alerts was {number}",
        ),
        FigureName.HOURS: (
            "{number} hours of conversation were scored",
            "the scores cover {number} hours of conversation",
        ),
    }
)
