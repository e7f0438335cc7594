"""`affectstream train narrator`: make the weights of the network that tells incidents."""

from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress


def narrator(
    *,
    out: Path | None = None,
    decoder: Path | None = None,
    seed: int = 0,
    epochs: int | None = None,
    threads: int = 1,
) -> None:
    """Train the small narrator from scratch; under half an hour on one core that has bfloat16.

    Records are drawn at random and sentences are made from them, so it needs no material. With
    --decoder it trains what lets a causal language model of your own read the evidence; the
    model itself is not touched. An interrupted training goes on from its last epoch when it is
    called again.

    Example: `affectstream train narrator --out our-narrator`

    Args:
        out: folder for the weights; default is the folder of the shipped ones.
        decoder: folder of a causal language model of transformers, as safetensors, with its
            tokenizer; what is trained goes into its folder `narrator`.
        seed: of the records, of their wording and of the first weights.
        epochs: of 1600 records each; default is that of the shipped weights.
        threads: of the network.
    """
    import torch

    from inference.narrator.choice import open_narrator
    from inference.narrator.small import WEIGHTS
    from inference.training.loop import Plan
    from inference.training.narrator import EPOCHS, LEARNING_RATE, train_adapter, train_narrator
    from streams.settings import load

    console = Console(stderr=True)
    torch.set_num_threads(threads)
    target = decoder or out or WEIGHTS
    plan = Plan(
        epochs=epochs or EPOCHS, learning_rate=LEARNING_RATE, patience=epochs or EPOCHS, seed=seed
    )
    train = train_narrator if decoder is None else train_adapter
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        learning = bar.add_task("learning", total=plan.epochs)
        history = train(target, plan, on_epoch=lambda: bar.advance(learning))
    best = history.epochs[history.best]
    opened = open_narrator(str(target), load().models_dir)
    version = "" if opened is None else opened.version
    console.print(
        f"{version} is in {target}: loss {best.judged:.3f} on combinations it never saw",
        markup=False,
        highlight=False,
    )
