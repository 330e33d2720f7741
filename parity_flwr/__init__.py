"""The trust layer for federated learning with Flower.

Importing this package does nothing but define the version. Use its parts:

- ``parity_flwr.strategies``: Flower strategies that know whom to believe;
- ``parity_flwr.clients``: Flower clients, adapters, signing and the attack suite;
- ``parity_flwr.chain_bridge``: the bridge to reputation contracts;
- ``parity_flwr.core``: the protocol's mathematics, free of any framework;
- ``parity_flwr.app`` and ``parity_flwr.cli``: runs, reports, audit and the ``parity`` command.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
