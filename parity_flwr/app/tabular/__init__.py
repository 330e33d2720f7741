"""`parity run data.csv`: from a table in one file to a federation with a metric that fits."""
