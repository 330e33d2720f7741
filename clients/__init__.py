"""Flower clients: adapters, identity, signing, a torch client and the attack suite.

Examples
--------
>>> from flwr.client import NumPyClient
>>> from flwr.clientapp import ClientApp
>>> app = ClientApp(lambda context: NumPyClient().to_client(), mods=parity_mods())
"""

from parity_flwr.clients.adapter import numpy_client_mod
from parity_flwr.clients.guard import guard_mod
from parity_flwr.clients.identity import identify, identity_mod
from parity_flwr.clients.secagg import SecAggMod
from parity_flwr.clients.signing import SigningMod, derived_signers
from parity_flwr.clients.stack import parity_mods
from parity_flwr.clients.torch_client import LocalTraining, TorchClient
from parity_flwr.clients.torch_model import Examples, evaluate_arrays, initial_arrays, mlp
from parity_flwr.clients.validation import ValidationMod
from parity_flwr.core.secagg.policy import SecAggPolicy
from parity_flwr.core.secagg.trust import GivenKeys

__all__ = [
    "Examples",
    "GivenKeys",
    "LocalTraining",
    "SecAggMod",
    "SecAggPolicy",
    "SigningMod",
    "TorchClient",
    "ValidationMod",
    "derived_signers",
    "evaluate_arrays",
    "guard_mod",
    "identify",
    "identity_mod",
    "initial_arrays",
    "mlp",
    "numpy_client_mod",
    "parity_mods",
]
