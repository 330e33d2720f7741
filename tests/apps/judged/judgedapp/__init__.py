"""Least squares on numbers drawn by partition, with reputation and one liar."""
