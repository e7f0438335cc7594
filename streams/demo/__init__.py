"""Everything in one process, to try things out: broker, worker, relay and API."""
