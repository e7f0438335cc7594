"""From what several experts say to one estimate."""
