"""The scoring worker: fetched batches in, stored scores out, offsets committed behind them."""
