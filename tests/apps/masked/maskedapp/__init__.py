"""Least squares on numbers drawn by partition, summed under masks."""
