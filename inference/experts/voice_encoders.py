"""Which form of the voice encoder runs on which device."""

from pathlib import Path
from typing import Final, Literal

import torch

from inference.experts.speech_head import WEIGHTS as INT8_HEADS
from inference.experts.speech_head import SpeechWeightsError
from inference.experts.voice_encoder import FLOAT, INT8, EmbedsVoice, VoiceEncoder

Device = Literal["auto", "cpu", "cuda"]

FLOAT_HEADS: Final = INT8_HEADS.with_name("speech_float")
"""Where heads that were fitted on the float form lie, if somebody made them."""
HEADS: Final = {INT8: INT8_HEADS, FLOAT: FLOAT_HEADS}
"""Where heads lie by backend."""
_ADVICE: Final = "fit heads on that form with `affectstream train speech --backend"


def shipped_heads(device: Device) -> Path:
    """The folder of heads for `device`; `auto` is CUDA only if CUDA and its heads are here."""
    if device == "cpu":
        return INT8_HEADS
    if device == "auto":
        return FLOAT_HEADS if torch.cuda.is_available() and FLOAT_HEADS.is_dir() else INT8_HEADS
    if not FLOAT_HEADS.is_dir():
        raise SpeechWeightsError(
            f"device cuda runs the encoder as {FLOAT}, and {FLOAT_HEADS} does not exist: "
            f"{_ADVICE} {FLOAT}`, or use device cpu"
        )
    return FLOAT_HEADS


def open_encoder(backend: str, threads: int, device: Device) -> EmbedsVoice:
    """The form that heads were fitted on.

    Args:
        backend: as the config of the heads names it.
        threads: of one call of the int8 graph; torch's are the process's
            (`inference.experts.threads`).
        device: where it must run; the float form runs on both, the int8 graph on the CPU.

    Raises:
        SpeechWeightsError: no such form, or none on this device.
        AffectstreamError: CUDA was asked for where there is none, or `onnx` is missing.
    """
    if backend == INT8:
        if device == "cuda":
            raise SpeechWeightsError(
                f"the heads were fitted on {INT8}, which runs on the CPU only; for device cuda "
                f"{_ADVICE} {FLOAT}`, or use device cpu"
            )
        return VoiceEncoder.load(threads)
    if backend == FLOAT:
        from inference.experts.voice_encoder_torch import TorchVoiceEncoder  # noqa: PLC0415

        chosen = "cuda" if torch.cuda.is_available() else "cpu"
        return TorchVoiceEncoder.load(chosen if device == "auto" else device)
    raise SpeechWeightsError(
        f"the heads were fitted on the encoder as {backend!r}; known are {INT8} and {FLOAT}: "
        "train the heads again"
    )
