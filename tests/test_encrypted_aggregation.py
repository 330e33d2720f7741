"""Encrypted rounds over real ClientApps: the mean comes out, nothing else does."""

from __future__ import annotations

import numpy as np
import pytest

from encrypted_runs import (
    agreed,
    encrypted_app,
    encrypted_run,
    plain_mean,
    values,
)
from trust_runs import MODEL

TOLERANCE = 2 / 2**15 + 1e-6


@pytest.mark.parametrize("keys", ["given", "agreed"])
def test_model_is_the_mean_within_the_stated_error(keys: str) -> None:
    app = encrypted_app(agreed()) if keys == "agreed" else encrypted_app()
    result, _, strategy = encrypted_run(app)
    expected = plain_mean(range(5))
    for name, array in values(result).items():
        assert array.dtype == MODEL[name].dtype
        assert np.abs(array - expected[name]).max() <= 2 * TOLERANCE
    assert list(result.arrays) == list(MODEL)
