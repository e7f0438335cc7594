"""The live page: running calls by need."""
