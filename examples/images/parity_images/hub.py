"""The real loaders: data sets by name through flwr-datasets, where there is a network."""

from contextlib import contextmanager
from functools import lru_cache

import numpy as np

from parity_flwr.app.engines.failure import one_line
from parity_flwr.errors import DataError, MissingExtraError

_IMAGE = ("image", "img")
_LABEL = ("label",)


@contextmanager
def _in_words(name: str):
    """Turn what the loaders raise into one line with three parts."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(f"the data set {name!r}", extra="data") from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"the data set {name!r} needs a network and that name on the hub",
            came=one_line(f"{type(error).__name__}: {error}")[:200],
            action="connect, or give a file: --data mnist.npz",
        ) from error


@lru_cache(maxsize=1)
def _federated(name: str, clients: int, alpha: float, seed: int):
    from flwr_datasets import FederatedDataset
    from flwr_datasets.partitioner import DirichletPartitioner

    divide = DirichletPartitioner(
        num_partitions=clients, partition_by="label", alpha=alpha, seed=seed
    )
    return FederatedDataset(dataset=name, partitioners={"train": divide}, seed=seed)


def load_hub(
    name: str, *, clients: int, index: int, alpha: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return one client's images as rows of numbers in [0, 1], and its labels."""
    with _in_words(name):
        return arrays_of(_federated(name, clients, alpha, seed).load_partition(index, "train"))


def load_hub_test(name: str, *, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images of the test split, the first ``most`` of a fixed shuffling."""
    with _in_words(name):
        from flwr_datasets import FederatedDataset

        split = FederatedDataset(dataset=name, partitioners={"train": 1}).load_split("test")
        return arrays_of(split.shuffle(seed=0).select(range(min(most, len(split)))))


def arrays_of(split) -> tuple[np.ndarray, np.ndarray]:
    """Return the images of a ``datasets.Dataset`` as rows in [0, 1], and the labels.

    Raises
    ------
    ValueError
        There is no column of images, or none of labels.
    """
    columns = {name: _first(split.column_names, name) for name in (_IMAGE, _LABEL)}
    images = [np.asarray(each, np.float32) for each in split[columns[_IMAGE]]]
    rows = np.stack(images).reshape(len(images), -1) / np.float32(255)
    return rows, np.asarray(split[columns[_LABEL]], np.int64)


def _first(names: list[str], wanted: tuple[str, ...]) -> str:
    for name in wanted:
        if name in names:
            return name
    raise ValueError(f"no column {' or '.join(wanted)} among {', '.join(names)}")
