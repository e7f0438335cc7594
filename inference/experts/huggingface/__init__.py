"""Checkpoints of transformers as experts, and encoders under heads of our own."""
