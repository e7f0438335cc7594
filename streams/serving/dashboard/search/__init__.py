"""The page that finds moments, and its labels of one's own."""
