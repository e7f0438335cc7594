"""What is kept: scores and progress in SQL, aggregates and the live feed in a cache."""
