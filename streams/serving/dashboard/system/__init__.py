"""The page of how the service is doing."""
