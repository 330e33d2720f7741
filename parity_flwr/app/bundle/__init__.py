"""One file with all that a third party needs to verify a run offline."""
