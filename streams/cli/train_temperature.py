"""`affectstream train temperature`: what a ready-made checkpoint lacks to count in full."""

from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress


def temperature(
    *,
    modality: Literal["speech", "text", "face"],
    model: str,
    manifest: Path,
    labels: str = "",
    split: str | None = None,
    threads: int = 1,
) -> None:
    """Fit the temperature of a classifier of transformers on material that it never saw.

    It is written into `affectstream.json` beside the checkpoint; until then the checkpoint
    weighs .3 at most.

    Example: `affectstream train temperature --modality text --model our-words --manifest my.csv`

    Args:
        modality: what it reads.
        model: a folder, or `owner/name@revision` that was pulled.
        manifest: a CSV file with the columns `path` (relative to the file) or `text`, and
            `label`. Pictures are JPEG.
        labels: what other names of labels mean: `happy=joy,calm=neutral`; `contempt=` leaves
            such rows out.
        split: use the rows with this value in the column `split`.
        threads: of the checkpoint.
    """
    from inference.experts.huggingface.opening import open_expert
    from inference.experts.huggingface.sidecar import Sidecar
    from inference.experts.huggingface.source import SIDECAR, locate
    from inference.labels import Modality
    from inference.training.checkpoint_temperature import fitted_sidecar, read_items
    from inference.training.manifest import parse_labels, read_manifest
    from streams.settings import load

    settings, console = load(), Console(stderr=True, highlight=False, soft_wrap=True)
    reads = Modality(modality)
    source = locate(model, settings.models_dir)
    material = read_manifest(
        manifest,
        "text" if reads is Modality.TEXT else "path",
        labels=parse_labels(labels),
        split=split,
    )
    expert = open_expert(reads, source, settings.profile, settings.models_dir, threads)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console) as bar:
        reading = bar.add_task("reading", total=len(material.items))
        readings = read_items(expert, material.items, lambda: bar.advance(reading))
    fitted = fitted_sidecar(readings, Sidecar.read(source.folder), material)
    fitted.save(source.folder)
    left_out = f", {readings.left_out} items left out" if readings.left_out else ""
    console.print(
        f"temperature {fitted.temperature:.3f} from {len(readings.labels)} readings{left_out} is "
        f"in {source.folder / SIDECAR}",
        markup=False,
    )
