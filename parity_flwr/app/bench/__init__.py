"""How long aggregation takes beside Flower's own strategies, byzfl's rules and one pass."""
