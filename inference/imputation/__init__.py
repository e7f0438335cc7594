"""What absent modalities would probably show, given those that are there: never evidence."""
