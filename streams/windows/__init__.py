"""Event time: which windows exist, when each is final, and when a record may be forgotten.

Pure: no broker, no database, no clock of its own. Every moment comes in as a parameter,
so laws can be tested without waiting.
"""
