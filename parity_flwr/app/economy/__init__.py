"""Honest and cheating participants over many rounds, paid and slashed: who earns what."""
