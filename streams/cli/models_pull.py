"""`affectstream models pull`: one commit of a model of the hub, onto this machine."""

import shutil
from pathlib import Path

from rich.console import Console


def pull(*models: str, models_dir: Path | None = None) -> None:
    """Download pinned models of the Hugging Face hub; scoring itself never downloads.

    Only safetensors and plain text come along. Afterwards `speech_model`, `text_model`,
    `face_model` or `train encoder --encoder` may name the model.

    Example: `affectstream models pull owner/name@0123456789abcdef0123456789abcdef01234567`

    Args:
        models: each as `owner/name@revision`, the commit with its 40 hexadecimal digits; none:
            those that the settings name.
        models_dir: where they go; default is the setting `models_dir`.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    from inference.experts.huggingface.licence import card, stated
    from inference.experts.huggingface.source import PULLED, CheckpointError, hub_model
    from streams.settings import load

    settings = load()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    named = (settings.speech_model, settings.text_model, settings.face_model)
    if not models and not any(map(hub_model, named)):
        console.print("nothing to pull: the settings name no model of the hub")
    for spec in models or dict.fromkeys(named):
        model = hub_model(spec)
        if model is None:
            if models:
                raise CheckpointError(f"{spec}: is no owner/name@revision of the hub")
            continue
        folder = model.folder(models_dir or settings.models_dir)
        if folder.is_dir():
            console.print(f"{spec}: already in {folder}", markup=False)
            continue
        partial = folder.with_name(f"{folder.name}.partial")
        try:
            with console.status(f"{model.name}: downloading"):
                snapshot_download(
                    model.name,
                    revision=model.revision,
                    local_dir=partial,
                    allow_patterns=list(PULLED),
                )
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as exc:
            first = str(exc).strip().splitlines()[0]
            raise CheckpointError(f"{spec}: the hub did not give it: {first}") from exc
        shutil.rmtree(partial / ".cache", ignore_errors=True)
        partial.rename(folder)  # what is half there never looks whole
        licence = stated(card(folder)) or "none stated"
        console.print(f"{spec}: in {folder}; licence: {licence}", markup=False)
