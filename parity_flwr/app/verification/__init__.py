"""What `parity verify` checks, one module for each kind of check."""
