"""Trains imputers and the probe beside them, from rows of the shared space."""
