"""A conversation's scores in formats of other programs, written page by page."""
