"""`affectstream train words`: the latent space of words."""

from pathlib import Path

from rich.console import Console


def words(*, data: Path, out: Path | None = None, seed: int = 0) -> None:
    """Make the space in which words are compared; under a minute.

    Example: `affectstream train words --data text/goemotions --out words`

    Args:
        data: folder with ekman_train.tsv of GoEmotions. Labels are not read.
        out: folder for the result; default is that of the shipped one.
        seed: of the decomposition.
    """
    from inference.experts.word_vectors import WEIGHTS
    from inference.training.goemotions import read_comments
    from inference.training.words import train_words

    out = out or WEIGHTS
    space = train_words(read_comments(data, "train").texts, seed)
    digest = space.save(out)
    console = Console(stderr=True)
    console.print(f"words-{space.config.version}+{digest} is in {out}", markup=False)
