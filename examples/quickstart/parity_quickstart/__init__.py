"""Handwritten digits, ten writers, some of whom lie."""
