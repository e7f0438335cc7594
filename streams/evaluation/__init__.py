"""Judges the whole way from a file to its scores."""
