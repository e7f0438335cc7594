"""The documents of what other programs may rely on: OpenAPI of HTTP, AsyncAPI of events."""
