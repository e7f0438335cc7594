"""What earlier windows tell of this one: estimates beside the raw one, never instead of it."""
