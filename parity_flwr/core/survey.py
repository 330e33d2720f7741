"""Everything that a rule wants to know of a round's updates, in one reading of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.distances import squared_lengths
from parity_flwr.core.reading import Rows, tiles
from parity_flwr.core.sketch import UpdateSketch

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Survey:
    """What one reading of n updates showed."""

    norms: Values  # (n,)
    sketches: Values  # (n, size)
    columns: NDArray[np.float32]  # (n, c), the chosen parameters


def survey(rows: Rows, *, sketch: UpdateSketch, coordinates: NDArray[np.intp]) -> Survey:
    """Return norms, sketches and chosen columns of all rows.

    Parameters
    ----------
    rows : Rows
        n finite rows of length d.
    sketch : UpdateSketch
        The run's secret map.
    coordinates : ndarray of intp, shape (c,)
        Which columns to keep, sorted.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> seen = survey(
    ...     MatrixRows(np.array([[3.0, 0.0, 4.0]])),
    ...     sketch=UpdateSketch(bytes(32), 8),
    ...     coordinates=np.array([0, 2]),
    ... )
    >>> seen.norms.tolist(), seen.columns.tolist(), seen.sketches.shape
    ([5.0], [[3.0, 4.0]], (1, 8))
    """
    reader, squares = sketch.reader(rows.n), np.zeros(rows.n)
    columns = np.empty((rows.n, len(coordinates)), np.float32)
    for first, start, block in tiles(rows):
        here = slice(first, first + len(block))
        squares[here] += squared_lengths(block)
        reader.add(block, first=first, start=start)
        low, high = np.searchsorted(coordinates, (start, start + block.shape[1]))
        columns[here, low:high] = block[:, coordinates[low:high] - start]
    return Survey(np.sqrt(squares), reader.total(), columns)
