"""Makes the weights of the experts from labelled recordings."""
