"""One space for what is heard, said, seen and asked for."""
