"""A model that a federation trained, evaluated on test data that only their owner can read."""

from __future__ import annotations

import numpy as np
import pytest

from linear_federation import LinearFederation
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.strategies import LeastSquares

pytest.importorskip("tenseal")
pytest.importorskip("sklearn")


def test_a_federated_model_is_evaluated_on_encrypted_test_data() -> None:
    from parity_flwr.core.encryption import CkksCipher, encrypted_linear_scores, linear_scores

    federation = LinearFederation(statistics=True)
    strategy = LeastSquares(10, journal=None, seed=1)
    model = federation.run(strategy, rounds=1)
    coef, intercept = model["coef"][0], float(model["intercept"][0])
    test = federation.data.x[:100]
    owner = CkksCipher(GroupSecret(bytes(range(32))))
    columns = [owner.encrypt(column) for column in test.T]
    clear = linear_scores(
        columns, coef.tolist(), rows=100, key_id=owner.key_id, intercept=intercept
    )
    hidden = encrypted_linear_scores(
        columns,
        [owner.encrypt(np.full(100, weight)) for weight in coef],
        rows=100,
        key_id=owner.key_id,
        relinearisation_key=owner.relinearisation_key(),
    )
    expected = test @ coef + intercept
    assert np.abs(owner.decrypt(clear, size=100) - expected).max() < 1e-3
    assert np.abs(owner.decrypt(hidden, size=100) + intercept - expected).max() < 1e-3
    y = federation.data.y[:100]
    share = 1 - np.mean((y - owner.decrypt(clear, size=100)) ** 2) / y.var()
    assert share == pytest.approx(1 - np.mean((y - expected) ** 2) / y.var(), abs=1e-6)
