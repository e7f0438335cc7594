"""Judging weights: metrics, protocols and the report that every figure comes from."""
