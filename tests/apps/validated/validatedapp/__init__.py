"""Least squares whose clients judge each round; one sends lies, another votes lies."""
