"""Least squares under central differential privacy."""
