"""`parity audit-privacy`: real mechanisms hold, broken ones are found, limits are said."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from parity_flwr.app.datasets import digits
from parity_flwr.app.privacy_audit.audit import audit_privacy
from parity_flwr.app.privacy_audit.inversion import psnr, recovered
from parity_flwr.app.privacy_audit.inversion_cnn import searched, victim_arrays
from parity_flwr.app.privacy_audit.membership import auc, true_positive_rate
from parity_flwr.app.privacy_audit.settings import Audited, AuditSettings, Promise
from parity_flwr.cli.main import execute
from parity_flwr.core.privacy import central, local
from parity_flwr.core.privacy.noise import gaussian
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.errors import ConfigError

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("dp_accounting")

KEYS = {
    "what",
    "mechanism",
    "epsilon",
    "delta",
    "clip",
    "canaries",
    "guesses",
    "trials",
    "seed",
    "confidence",
    "lower_bound",
    "lower_bound_without_noise",
    "holds",
    "conclusive",
    "membership",
    "membership_without_noise",
    "inversion_psnr_db",
    "cnn_inversion_psnr_db",
    "seconds",
}
SMALL = ("--canaries", "200", "--epsilon", "1", "--seed", "1")


def settings(mechanism: Audited = Audited.CENTRAL, **changes: Any) -> AuditSettings:
    promise = Promise(epsilon=1.0, delta=1e-5, clip=0.5)
    given: dict[str, Any] = {"promise": promise, "canaries": 200, "seed": 1}
    return AuditSettings(mechanism=mechanism, **{**given, **changes})


def weaker_gaussian(stream: RandomStream, count: int, *, sigma: float) -> Any:
    return gaussian(stream, count, sigma=sigma / 20)


@pytest.mark.parametrize("mechanism", Audited)
def test_the_claim_holds_with_noise_and_not_without(mechanism: Audited) -> None:
    found = audit_privacy(settings(mechanism))
    assert found["holds"]
    assert found["conclusive"]
    assert found["lower_bound"] <= 1.0 < found["lower_bound_without_noise"]
    assert 0.4 < found["membership"]["auc"] < 0.75
    assert found["membership_without_noise"]["auc"] == 1.0
    assert found["membership_without_noise"]["tpr_at_1_percent_fpr"] == 1.0


@pytest.mark.parametrize("mechanism", Audited)
def test_an_image_is_read_from_the_bare_update_only(mechanism: Audited) -> None:
    audited = audit_privacy(settings(mechanism, canaries=50))
    found, of_cnn = audited["inversion_psnr_db"], audited["cnn_inversion_psnr_db"]
    assert found["before"] > 60.0
    assert found["after"] < found["blind"] < 15.0
    assert of_cnn["before"] > 35.0
    assert of_cnn["after"] < of_cnn["blind"] < 15.0


def test_a_search_from_gradients_that_fit_no_image_finds_none() -> None:
    start = victim_arrays(seed=0)
    rng = np.random.default_rng(0)
    noise = [rng.standard_normal(each.shape) for each in start]
    image, x = searched(start, noise), digits()[0]
    assert image.shape == (64,)
    assert ((image >= 0) & (image <= 1)).all()
    assert max(psnr(each, image) for each in x[:3]) < 10.0


@pytest.mark.parametrize("mechanism", Audited)
def test_the_noise_multiplier_is_what_the_scores_show(mechanism: Audited) -> None:
    # Canaries move their score by z^-1 standard deviations, so that AUC = Phi(1/(z sqrt 2)).
    promise = Promise(epsilon=4.0, delta=1e-5, clip=3.0)  # z = 1.0812
    found = audit_privacy(settings(mechanism, promise=promise, canaries=1000))
    assert found["membership"]["auc"] == pytest.approx(0.7434, abs=0.05)


@pytest.mark.parametrize("mechanism", Audited)
@pytest.mark.parametrize("clip", [1e-12, 1e9])
def test_the_clip_is_a_unit_only(mechanism: Audited, clip: float) -> None:
    found = audit_privacy(
        settings(mechanism, promise=Promise(epsilon=1.0, delta=1e-5, clip=clip))
    )
    assert found["holds"]
    assert found["conclusive"]


def test_too_little_noise_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(central, "gaussian", weaker_gaussian)
    assert execute(["audit-privacy", *SMALL]) == 1
    assert "the claim does not hold" in capsys.readouterr().out


def test_a_clip_that_does_not_clip_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "clip_row", lambda values, *, bound: values)
    found = audit_privacy(settings(Audited.LOCAL))
    assert not found["holds"]


def test_a_claim_out_of_reach_proves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["audit-privacy", *SMALL, "--epsilon", "20"]) == 0
    assert "this proves nothing" in capsys.readouterr().out


def test_json_has_the_documented_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["audit-privacy", *SMALL, "--trials", "2", "--json"]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert set(found) == KEYS
    assert set(found["inversion_psnr_db"]) == {"before", "after", "blind"}
    assert (found["guesses"], found["trials"], found["confidence"]) == (40, 2, 0.95)
    assert "trial 2 of 2" in told.err


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["audit-privacy", *SMALL]) == 0
    text = capsys.readouterr().out
    assert "audited lower bound" in text
    assert "not refuted (95% confidence); without noise it would have been" in text


def test_a_seed_repeats_everything_and_none_does_not() -> None:
    def figures(seed: int | None) -> dict[str, Any]:
        found = audit_privacy(settings(canaries=50, seed=seed))
        return {name: each for name, each in found.items() if name != "seconds"}

    assert figures(3) == figures(3)
    assert figures(None) != figures(None)


@pytest.mark.parametrize(
    "options",
    [
        ("--epsilon", "0"),
        ("--epsilon", "nan"),
        ("--delta", "1"),
        ("--delta", "0.001"),  # 1 / canaries
        ("--clip", "-1"),
        ("--clip", "1e10"),
        ("--canaries", "49"),
        ("--canaries", "2001"),
        ("--trials", "0"),
        ("--trials", "21"),
        ("--seed", "-1"),
        ("--mechanism", "none"),
    ],
)
def test_what_promises_nothing_is_refused(
    options: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["audit-privacy", *options]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")


def test_settings_are_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match="canaries"):
        settings(canaries=10)


def test_membership_figures_by_hand() -> None:
    inside, outside = np.array([1.0, 2.0, 2.0]), np.array([0.0, 2.0])
    assert auc(inside, outside) == pytest.approx((1 + 1.5 + 1.5) / 6)
    assert true_positive_rate(inside, outside, false_positives=0.01) == 0.0
    assert true_positive_rate(inside, outside, false_positives=0.5) == 1.0


def test_inversion_by_hand() -> None:
    x, dz = np.array([0.0, 0.25, 1.0]), np.array([3.0, 0.0, -0.5])
    np.testing.assert_allclose(recovered(np.outer(dz, x), dz), x)
    assert recovered(np.zeros((3, 3)), np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert psnr(x, x + 0.1) == pytest.approx(20.0)
    assert psnr(x, x) == 200.0
