"""Hospitals with different patients, example-level privacy, and one with flipped labels."""
