"""Incidents in sentences: a narrator explains what was scored, and decides nothing."""
