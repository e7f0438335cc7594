"""What every page is made of: the frame, sections, forms, words."""
