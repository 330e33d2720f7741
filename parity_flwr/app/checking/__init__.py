"""The dry run: what a run would do, need and cost, found out without training."""
