"""Rewards, prices, slashing and equilibria, in integers (P-13, P-28 to P-32)."""
