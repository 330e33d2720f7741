"""Flower clients: models, adapters, identity, signing, differential privacy and attacks.

Examples
--------
>>> from flwr.client import NumPyClient
>>> from flwr.clientapp import ClientApp
>>> app = ClientApp(lambda context: NumPyClient().to_client(), mods=parity_mods())
"""

from parity_flwr.clients.adapter import numpy_client_mod
from parity_flwr.clients.charges import charges_mod
from parity_flwr.clients.decryptor import DecryptorsKey, OwnKey
from parity_flwr.clients.dp_gradients import Clipping, Method
from parity_flwr.clients.dp_model import private_model
from parity_flwr.clients.dp_torch_client import DPTorchClient, ExamplePrivacy
from parity_flwr.clients.encryption import EncryptionMod
from parity_flwr.clients.encryption_policy import EncryptionPolicy, OutOfRange
from parity_flwr.clients.forest import ForestClient, ForestTraining
from parity_flwr.clients.forest_file import load_forest, read_forest, save_forest
from parity_flwr.clients.forest_model import from_sklearn, to_sklearn
from parity_flwr.clients.guard import guard_mod
from parity_flwr.clients.identity import identify, identity_mod
from parity_flwr.clients.key_holding import AgreedSecret, ProvisionedSecret
from parity_flwr.clients.linear import LinearClient, LinearTraining, StatisticsClient
from parity_flwr.clients.linear_model import initial_linear, linear_estimator
from parity_flwr.clients.local_dp import LocalDPMod
from parity_flwr.clients.release_client import ReleaseClient
from parity_flwr.clients.secagg import SecAggMod
from parity_flwr.clients.signing import SigningMod, derived_signer, derived_signers
from parity_flwr.clients.stack import parity_mods
from parity_flwr.clients.tables import Table
from parity_flwr.clients.torch_client import LocalTraining, TorchClient
from parity_flwr.clients.torch_model import Examples, evaluate_arrays, initial_arrays
from parity_flwr.clients.torch_networks import cnn, mlp
from parity_flwr.clients.validation import ValidationMod
from parity_flwr.core.privacy.forest_release import ForestRelease
from parity_flwr.core.privacy.linear_release import LinearRelease
from parity_flwr.core.secagg.policy import SecAggPolicy
from parity_flwr.core.secagg.trust import GivenKeys

__all__ = [
    "AgreedSecret",
    "Clipping",
    "DPTorchClient",
    "DecryptorsKey",
    "EncryptionMod",
    "EncryptionPolicy",
    "ExamplePrivacy",
    "Examples",
    "ForestClient",
    "ForestRelease",
    "ForestTraining",
    "GivenKeys",
    "LinearClient",
    "LinearRelease",
    "LinearTraining",
    "LocalDPMod",
    "LocalTraining",
    "Method",
    "OutOfRange",
    "OwnKey",
    "ProvisionedSecret",
    "ReleaseClient",
    "SecAggMod",
    "SecAggPolicy",
    "SigningMod",
    "StatisticsClient",
    "Table",
    "TorchClient",
    "ValidationMod",
    "charges_mod",
    "cnn",
    "derived_signer",
    "derived_signers",
    "evaluate_arrays",
    "from_sklearn",
    "guard_mod",
    "identify",
    "identity_mod",
    "initial_arrays",
    "initial_linear",
    "linear_estimator",
    "load_forest",
    "mlp",
    "numpy_client_mod",
    "parity_mods",
    "private_model",
    "read_forest",
    "save_forest",
    "to_sklearn",
]
