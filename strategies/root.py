"""The server's own training on root data."""

from __future__ import annotations

from parity_flwr.errors import ConfigError
from parity_flwr.strategies.gate import Arrays
from parity_flwr.strategies.ruled import RootUpdate
from parity_flwr.strategies.settlement import fit


def trained_on_root(root: RootUpdate, round: int, base: Arrays) -> Arrays:
    """Return the model that comes of training the one sent on the server's root data.

    Raises
    ------
    ConfigError
        If it is not a finite model of the same shape.

    Examples
    --------
    >>> import numpy as np
    >>> trained_on_root(lambda round, model: {"w": model["w"] + round}, 2, {"w": np.ones(1)})
    {'w': array([3.])}
    """
    model = fit(root(round, base), base)
    if model is None:
        raise ConfigError(
            "a root update needs to return a finite model of the shape that was sent",
            came=f"something else in round {round}",
            action="correct the function given as root, or lower its learning rate",
        )
    return model
