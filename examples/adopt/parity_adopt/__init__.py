"""A stock Flower app, and the same app with reputation."""
