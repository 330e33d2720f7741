"""Secure aggregation: the server learns the sum of updates and none of them.

Pure functions over frozen data, for both sides: :mod:`~parity_flwr.core.secagg.client` is the
client's state machine, :mod:`~parity_flwr.core.secagg.server` collects the stages and opens
the sum, :mod:`~parity_flwr.core.secagg.quantise` states what fits. The protocol is that of
Bonawitz et al. 2017 with signed keys and the consistency check, on a complete graph or on the
sparse one of Bell et al. 2020; docs/privacy-secagg.md says what it promises.
"""
