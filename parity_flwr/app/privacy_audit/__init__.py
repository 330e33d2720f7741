"""An audit of the shipped mechanisms from outside: canaries, membership, inversion."""
