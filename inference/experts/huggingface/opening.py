"""Opens what somebody chose for a modality: a checkpoint, or a head of our own on an encoder."""

from pathlib import Path

from inference.evidence import Expert
from inference.experts.huggingface.encoder_head import (
    EncoderHead,
    encoder_of,
    open_headed_speech,
    open_headed_text,
)
from inference.experts.huggingface.face import open_face_classifier
from inference.experts.huggingface.licence import admit_checkpoint, admit_trained
from inference.experts.huggingface.sidecar import Sidecar
from inference.experts.huggingface.source import HEAD, CheckpointError, Source
from inference.experts.huggingface.speech import open_speech_classifier
from inference.experts.huggingface.text import open_text_classifier
from inference.labels import Modality


def open_expert(
    modality: Modality, source: Source, profile: str, models_dir: Path, threads: int
) -> Expert:
    """Check its licence, then open it.

    Args:
        modality: that it is to read.
        source: where it lies.
        profile: of the settings.
        models_dir: where the encoder of a head may lie.
        threads: of torch, for the whole process.

    Raises:
        LicenceError: a licence that the profile does not allow.
        CheckpointError: it cannot be used as it is.
    """
    if (source.folder / HEAD).is_file():
        return _headed(modality, source, profile, models_dir, threads)
    admit_checkpoint(source.name, source.folder, Sidecar.read(source.folder), profile)
    if modality is Modality.SPEECH:
        return open_speech_classifier(source, threads)
    if modality is Modality.TEXT:
        return open_text_classifier(source, threads)
    return open_face_classifier(source, threads)


def _headed(
    modality: Modality, source: Source, profile: str, models_dir: Path, threads: int
) -> Expert:
    head = EncoderHead.load(source.folder)
    if head.config.modality is not modality:
        raise CheckpointError(f"{source.name}: reads {head.config.modality}, not {modality}")
    encoder = encoder_of(head, models_dir)
    admit_trained(source.name, head.config.licence, profile)
    admit_checkpoint(encoder.name, encoder.folder, Sidecar.read(encoder.folder), profile)
    if modality is Modality.SPEECH:
        return open_headed_speech(head, encoder, threads)
    return open_headed_text(head, encoder, threads)
