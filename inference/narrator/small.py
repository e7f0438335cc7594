"""The small model: our own decoder, vocabulary and reader of evidence, in one folder."""

from pathlib import Path
from typing import Final

from torch import nn

from inference.narrator.flamingo import Flamingo, TextDecoder
from inference.narrator.vocabulary import Vocabulary, stands_for
from inference.networks.folder import Config, Weights, filled, load_weights, save_weights

WEIGHTS: Final = Path(__file__).parent.parent / "weights" / "narrator"
VOCABULARY_FILE: Final = "vocabulary.json"
ADVICE: Final = "affectstream train narrator"
OPEN_GATES: Final = 1.0
"""All of it is trained from scratch, so the evidence may be heard from the first step."""


class SmallConfig(Config, frozen=True, kw_only=True):
    """The sizes of the small model.

    Attributes:
        vocabulary: pieces.
        width: of the decoder and of the evidence.
        layers: blocks of the decoder.
        every: before the last of so many blocks the evidence is asked.
        hidden: of the decoder's feed-forward layers.
        asking_hidden: of those of the resampler and of gated cross-attention.
        longest: pieces of a text.
    """

    vocabulary: int
    width: int = 256
    layers: int = 4
    every: int = 2
    hidden: int = 768
    asking_hidden: int = 512
    longest: int = 160


class SmallModel(nn.Module):
    """Decoder and reader, all of it trained."""

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        self.decoder = TextDecoder(
            config.vocabulary,
            width=config.width,
            layers=config.layers,
            hidden=config.hidden,
            most=config.longest,
        )
        self.flamingo = Flamingo(
            self.decoder,
            vocabulary=config.vocabulary,
            every=config.every,
            hidden=config.asking_hidden,
            width=config.width,
            cites=stands_for(config.vocabulary),
            gates=OPEN_GATES,
        )


def save_small(
    folder: Path, model: SmallModel, vocabulary: Vocabulary, config: SmallConfig
) -> None:
    """Write weights, sizes and vocabulary into `folder`, making it."""
    save_weights(folder, config, model.state_dict())
    vocabulary.save(folder / VOCABULARY_FILE)


def load_small(folder: Path) -> tuple[SmallModel, Vocabulary, Weights[SmallConfig]]:
    """Inverse of `save_small`. Raises WeightsError."""
    weights = load_weights(folder, SmallConfig, ADVICE)
    vocabulary = Vocabulary.load(folder / VOCABULARY_FILE)
    model = SmallModel(weights.config)
    filled(model, weights, folder)
    return model, vocabulary, weights
