"""The grid's data: images shipped inside packages, or .npz files that the user has."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.datasets import DATASETS, Images, Labels, stratified_split
from parity_flwr.errors import DataError

KEYS: Final = ("x_train", "y_train", "x_test", "y_test")
MAX_BYTES = 1 << 30  # of all arrays of a file, unpacked
MAX_CLASSES = 1000
BUNDLED_TEST_SHARE = 0.25
_ACTION = "give a .npz file with x_train, y_train, x_test and y_test, as numpy.savez writes it"


@dataclass(frozen=True, eq=False)
class Samples:
    """Standardised training and test data.

    Inputs are float32 of shape (n, pixels) with mean 0 and variance 1 over all numbers of
    the training set; labels are int64 of shape (n,), from 0.
    """

    x_train: Images
    y_train: Labels
    x_test: Images
    y_test: Labels

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.y_train.max()) + 1


def load_samples(name: str, folder: Path | None) -> Samples:
    """Load ``folder/NAME.npz``, or without a folder the set NAME of an installed package.

    Raises
    ------
    DataError
        If the file is missing, too large, or not such data.
    MissingExtraError
        If the package is not installed.
    """
    if folder is not None:
        return standardised(*read_npz(folder / f"{name}.npz"))
    if name not in DATASETS:
        raise DataError(
            f"the data set '{name}' needs a folder with {name}.npz",
            came="none",
            action="give --data DIR",
        )
    x, y = DATASETS[name]()
    rng = np.random.default_rng(0)  # the split is the data set's own, not the seed's
    train, test = stratified_split(y, test_share=BUNDLED_TEST_SHARE, rng=rng)
    return standardised(x[train], y[train], x[test], y[test])


def standardised(x_train: Images, y_train: Labels, x_test: Images, y_test: Labels) -> Samples:
    """Return the samples on the scale of the training set."""
    mean = float(x_train.mean(dtype=np.float64))
    scale = max(float(x_train.std(dtype=np.float64)), 1e-12)
    inputs = [((x - mean) / scale).astype(np.float32) for x in (x_train, x_test)]
    return Samples(inputs[0], y_train, inputs[1], y_test)


def fingerprint(name: str, folder: Path | None) -> str:
    """Return what identifies the data: the file's SHA-256, hex, or the package's set."""
    if folder is None:
        return f"bundled {name}"
    try:
        with (folder / f"{name}.npz").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(folder / f"{name}.npz", error.strerror or str(error)) from error


def read_npz(path: Path) -> tuple[Images, Labels, Images, Labels]:
    """Read and check one file; never unpickles, and looks at sizes before it unpacks."""
    try:
        _require_small(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = [np.asarray(file[key]) for key in KEYS]
    except KeyError as error:
        raise _unreadable(path, str(error)) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise _unreadable(path, str(error)) from error
    x_train, y_train, x_test, y_test = arrays
    classes = _require_labels(path, y_train, y_test)
    images = [_images(path, x, y) for x, y in ((x_train, y_train), (x_test, y_test))]
    if images[0].shape[1] != images[1].shape[1] or classes < 2:
        raise _unreadable(path, "test inputs of another size, or fewer than two classes")
    return images[0], y_train.astype(np.int64), images[1], y_test.astype(np.int64)


def _require_small(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    wanted = [sizes.get(f"{key}.npy", 0) for key in KEYS]
    if sum(wanted) > MAX_BYTES:
        raise _unreadable(path, f"{sum(wanted)} bytes of arrays, more than {MAX_BYTES}")


def _require_labels(path: Path, *labels: NDArray[Any]) -> int:
    for each in labels:
        if each.ndim != 1 or each.size == 0 or each.dtype.kind not in "iu":
            raise _unreadable(path, f"labels of dtype {each.dtype} and shape {each.shape}")
        if not 0 <= int(each.min()) <= int(each.max()) < MAX_CLASSES:
            raise _unreadable(path, f"labels from {each.min()} to {each.max()}")
    if int(labels[1].max()) > int(labels[0].max()):
        raise _unreadable(path, "a class in the test set that training has not")
    return int(labels[0].max()) + 1


def _images(path: Path, x: NDArray[Any], y: NDArray[Any]) -> Images:
    """Return the inputs as rows of float32; bytes become numbers in [0, 1]."""
    if x.ndim < 2 or len(x) != len(y) or x.dtype.kind not in "uif" or 0 in x.shape:
        raise _unreadable(path, f"inputs of dtype {x.dtype} and shape {x.shape}")
    rows = x.reshape(len(x), -1).astype(np.float32)
    if not np.isfinite(rows).all():
        raise _unreadable(path, "inputs that are not finite")
    return rows / np.float32(255) if x.dtype == np.uint8 else rows


def _unreadable(path: Path, came: str) -> DataError:
    return DataError(f"{path.name} needs to hold a data set", came=came, action=_ACTION)
