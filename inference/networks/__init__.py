"""Parts of networks that several methods are built from, and how networks are kept."""
