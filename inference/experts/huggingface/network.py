"""Opens what transformers saved: safetensors only, no foreign code, nothing from the network."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from inference.experts.huggingface.source import CheckpointError, Source

HARMLESS: Final = re.compile(r"masked_spec_embed|position_ids")
"""Tensors that may be missing from a checkpoint: one serves training alone, one is counted."""
HARMLESS_TO_ENCODERS: Final = re.compile(r"masked_spec_embed|position_ids|(^|\.)pooler\.")
"""The pooler too: hidden states are read before it."""
_LOCAL: Final[dict[str, bool]] = {"local_files_only": True, "trust_remote_code": False}
_TROUBLE: Final = (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError)


@dataclass(frozen=True, slots=True)
class Network:
    """A model in evaluation, on CUDA where there is one."""

    model: Any
    device: torch.device

    @property
    def config(self) -> Any:
        """That of transformers."""
        return self.model.config

    def __call__(self, inputs: dict[str, Any]) -> Any:
        """Ask about one item, on CUDA with half-precision products.

        Args:
            inputs: tensors by name, as the preprocessor made them.
        """
        on_cuda = self.device.type == "cuda"
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, dtype=torch.float16, enabled=on_cuda),
        ):
            return self.model(**{name: value.to(self.device) for name, value in inputs.items()})


def open_network(
    auto: Any, source: Source, threads: int, *, harmless: re.Pattern[str] = HARMLESS
) -> Network:
    """Open the model of `source`.

    Args:
        auto: the class of transformers that opens models for this job.
        source: where it lies.
        threads: of torch, for the whole process.
        harmless: tensors that may be missing.

    Raises:
        CheckpointError: there are no safetensors, tensors of the model are missing or have
            another shape, or it would need code of its own.
    """
    if not any(source.folder.glob("*.safetensors")):
        raise CheckpointError(
            f"{source.name}: no *.safetensors in {source.folder}; other formats can hold code "
            "and are not opened: save it again with transformers"
        )
    torch.set_num_threads(threads)
    with _translated(source), _quiet():
        model, report = auto.from_pretrained(
            source.folder,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            **_LOCAL,
        )
    wrong = {str(name) for name in report["missing_keys"] if not harmless.search(str(name))}
    wrong |= {str(entry[0]) for entry in report["mismatched_keys"]}
    if wrong:
        raise CheckpointError(
            f"{source.name}: {len(wrong)} tensors would be random, such as {min(wrong)}: the "
            f"checkpoint was not saved for {auto.__name__.removeprefix('AutoModel') or 'this'}"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Network(model.eval().to(device), device)


def open_preprocessor(auto: Any, source: Source, **options: Any) -> Any:
    """Open what turns an item into tensors.

    Args:
        auto: the class of transformers that opens it.
        source: where it lies.
        options: of that class.

    Raises:
        CheckpointError: it is not there, or something that it needs is not installed.
    """
    with _translated(source), _quiet():
        return auto.from_pretrained(source.folder, **_LOCAL, **options)


@contextmanager
def _translated(source: Source) -> Iterator[None]:
    try:
        yield
    except (*_TROUBLE, SafetensorError) as exc:
        first = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
        raise CheckpointError(
            f"{source.name}: transformers cannot open {source.folder}: {first}"
        ) from exc


@contextmanager
def _quiet() -> Iterator[None]:
    """Neither progress bars nor advice: what is wrong becomes an error."""
    bars, level = (
        transformers_logging.is_progress_bar_enabled(),
        transformers_logging.get_verbosity(),
    )
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
