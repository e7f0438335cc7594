"""The doors out: the HTTP API, its live feed, and the dashboard that reads both."""
