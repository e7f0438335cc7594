"""Readers of one modality each: a window in, calibrated evidence out."""
