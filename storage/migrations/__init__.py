"""Alembic revisions, run by `affectstream db upgrade`."""
