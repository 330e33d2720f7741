"""The bridge from a run's journal to reputation contracts and content-addressed storage.

The bridge arrives with its own release; nothing is public here yet. What it will implement
is declared already: :class:`parity_flwr.core.protocols.Ledger` and
:class:`parity_flwr.core.protocols.ContentStore`. This is the only package that may import
web3 or speak to IPFS.
"""

__all__: list[str] = []
