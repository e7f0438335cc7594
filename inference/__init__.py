"""What a window means. No network, no database, no clock."""
