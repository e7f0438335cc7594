"""Who may come in: sign-in, sessions, and the guard in front of every path."""
