"""Least squares on numbers drawn by partition; the server sees sums only."""
