"""How data moves: media in, event-time windows, delivery, and the doors out."""
