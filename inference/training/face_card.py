"""The model card that lies beside weights of the net for faces."""

from pathlib import Path
from typing import Final

from inference.experts.face_cnn import FaceCnn
from inference.training.ferplus import CONTEMPT

CARD_FILE: Final = "README.md"
CARD: Final = """\
# Research net for faces: {version}

Reads a grey 48x48 crop of a face and says how most of ten voters would name its expression, as a
probability for each of {count} labels: {labels}. Made by
`affectstream train face`.

**For research only.** It learnt from the images of FER2013, which were collected from the web and
carry no commercial grant; the votes of FER+ are MIT. So these weights are not for a commercial
service, nor are scores that rest on them.

| | |
|---|---|
| data | {data} |
| licence | {licence} |
| faces learnt from | {faces}, {epochs} epochs, seed {seed} |
| faces held out of it, for the calibration | {held_out_faces} |
| parameters | {parameters} |
| torch, Python | {torch}, {python} |

- **Targets** are shares of votes. Single votes are dropped, as are faces that most voters could not
  name or took for no face. A label that is k times as rare weighs k^{rare_power} as much.{own}
- **Calibration** comes from the faces held out, those with a clear majority: a temperature over the
  {count} labels; another over the seven of the product, each taken as equally likely before; a
  logistic regression on the log-probabilities for distress (anger, fear, sadness, disgust against
  joy and neutral; surprise and contempt left out). The validation split had no part in any of them.
- **Figures** are printed by `affectstream evaluate face --data DIR --cnn FOLDER`, on the 3396
  validation faces with one clear majority for an expression.

## Limits

It learnt from stills that were found by search words, many of them posed: people on calls look
different, talk, and look down. A label is what strangers would call the picture, not what anybody
felt. Profiles, covered and small faces are read as badly as they can be seen. Ages, skin tones and
genders are not marked in the data, so how well it works across them is not known. The same people
may be in the training and the validation split. Its shares of labels are not those of calls, so its
calibration does not transfer by itself.
"""


OWN_TOO: Final = """
- **Added pictures**: {own_faces} of the faces learnt from, each seen {own_copies} times as often as
  another, and {own_held_out_faces} of those held out. All votes are for the label of the manifest.
  Nobody is in both parts, as far as the manifest says who is seen."""
OWN_CARD: Final = """\
# Net for faces: {version}

Reads a grey 48x48 crop of a face and says how whoever labelled the added pictures would name its
expression, as a probability for each of {count} labels: {labels}. Made by
`affectstream train face`. It saw no picture but these, and may be used as they may.

| | |
|---|---|
| data | {data} |
| licence | {licence} |
| faces learnt from | {faces}, {epochs} epochs, seed {seed} |
| faces held out of it, for the calibration | {held_out_faces} |
| parameters | {parameters} |
| torch, Python | {torch}, {python} |

- **Targets** are the labels of the manifests, for the largest face of each picture. A label that is
  k times as rare weighs k^{rare_power} as much.
- **Calibration** comes from the faces held out, of people who were not learnt, as far as the
  manifests say who is seen: a temperature over the labels; another with each taken as equally
  likely before; a logistic regression on the log-probabilities for distress (anger, fear, sadness,
  disgust against joy and neutral; surprise left out).
- **Figures** are printed by `affectstream evaluate face --manifest FILE --split test --cnn FOLDER`,
  on pictures of people who are not in training.

## Limits

A label is what somebody called the picture, not what anybody felt. Few faces make a weak net: judge
it before use. Profiles, covered and small faces are read as badly as they can be seen. How well it
works across ages, skin tones and genders depends on whom the pictures show.
"""


def write_card(cnn: FaceCnn, folder: Path) -> Path:
    """Write `README.md` into `folder`; returns its path."""
    config = cnn.config
    known = {key: value for key, value in config.training.items() if key in _TRAINING}
    path = folder / CARD_FILE
    template = CARD if CONTEMPT in config.labels else OWN_CARD  # an expression of FER+ alone
    text = template.format(
        **known,
        own=OWN_TOO.format(**known) if "own_faces" in known else "",
        version=cnn.version,
        labels=f"{', '.join(config.labels[:-1])} and {config.labels[-1]}",
        count=len(config.labels),
        data=config.data,
        licence=config.licence,
    )
    path.write_text(text, encoding="utf-8")
    return path


_TRAINING: Final = frozenset(
    {
        *("faces", "held_out_faces", "own_faces", "own_held_out_faces", "own_copies"),
        *("epochs", "seed", "parameters", "rare_power", "torch", "python"),
    }
)
"""What of the config the card tells."""
