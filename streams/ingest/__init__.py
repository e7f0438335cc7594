"""Media in: files become the records of a conversation, in event-time order."""
