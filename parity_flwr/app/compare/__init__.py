"""`parity compare`: strategies against attacks, over fractions, partitions and seeds.

All clients of a round are trained in one batched call; what a strategy sees of a round is a
matrix of updates, and what the default strategy does with it is the product's own path.
"""
