"""The page of decisions, consents and erasures."""
