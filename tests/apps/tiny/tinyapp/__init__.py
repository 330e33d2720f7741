"""A Flower app small enough to compute by hand."""
