"""Making probabilities mean what they say: fitted on predictions for unseen speakers only."""
