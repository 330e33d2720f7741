"""The protocol's mathematics on numpy arrays and frozen dataclasses.

No Flower, no web3, no torch, no files, no clock and no global random state. State is data:
``step(state, inputs) -> (state, result)``, so that a replayed journal gives the same state.
"""
