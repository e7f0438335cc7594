"""The HTTP API: conversations, timelines, the live feed, and what a platform asks for."""
