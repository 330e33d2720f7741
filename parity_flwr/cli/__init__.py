"""The `parity` command: one module per group of commands."""
