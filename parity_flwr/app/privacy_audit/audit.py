"""The audit of one mechanism, as plain data."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from parity_flwr.app.privacy_audit.canaries import SCORES, Scores
from parity_flwr.app.privacy_audit.inversion import invert
from parity_flwr.app.privacy_audit.inversion_cnn import invert_cnn
from parity_flwr.app.privacy_audit.membership import auc, true_positive_rate
from parity_flwr.app.privacy_audit.settings import CONFIDENCE, AuditSettings, Promise
from parity_flwr.core.privacy.audit import audited_epsilon
from parity_flwr.core.privacy.parameters import MAX_EPSILON

Report = Callable[[str], None]
Trial = tuple[Scores, Scores]
_FALSE_POSITIVES = 0.01


def audit_privacy(
    settings: AuditSettings, *, report: Report = lambda line: None
) -> dict[str, Any]:
    """Run the mechanism with canaries, with its noise and without, and attack it.

    "Without" is the same code with epsilon 500 promised, the least noise that it can be made
    to draw: some hundredths of the clip.

    Parameters
    ----------
    settings : AuditSettings
        What is audited.
    report : callable
        Gets a line of progress now and then.

    Returns
    -------
    dict
        The keys of docs/cli.md. ``holds`` is false when the claim is refuted; ``conclusive``
        says whether the audit could have refuted it: the bound without noise is above it.

    Raises
    ------
    ConfigError
        A parameter promises nothing.
    MissingExtraError
        torch or scikit-learn is not installed.
    """
    started = time.monotonic()
    promise = settings.promise
    with _quiet_flower():
        noisy = _trials(settings, promise, "with noise", report)
        bare = replace(promise, epsilon=MAX_EPSILON)
        naked = _trials(settings, bare, "without noise", report)
        report("gradient inversion")
        inversion = invert(settings.mechanism, promise, settings.seeds)
        of_cnn = invert_cnn(settings.mechanism, promise, settings.seeds)
    bound, without = _bound(settings, noisy), _bound(settings, naked)
    return {
        "what": "audit-privacy",
        "mechanism": settings.mechanism.value,
        **asdict(promise),
        "canaries": settings.canaries,
        "guesses": settings.guesses,
        "trials": settings.trials,
        "seed": settings.seed,
        "confidence": CONFIDENCE,
        "lower_bound": bound,
        "lower_bound_without_noise": without,
        "holds": bound <= promise.epsilon,
        "conclusive": without > promise.epsilon,
        "membership": _membership(noisy),
        "membership_without_noise": _membership(naked),
        "inversion_psnr_db": asdict(inversion),
        "cnn_inversion_psnr_db": asdict(of_cnn),
        "seconds": time.monotonic() - started,
    }


def _trials(
    settings: AuditSettings, promise: Promise, label: str, report: Report
) -> list[Trial]:
    found: list[Trial] = []
    for trial in range(settings.trials):
        report(f"{settings.mechanism} {label}, trial {trial + 1} of {settings.trials}")
        entropy = None if settings.seed is None else [settings.seed, trial]
        inside = np.random.default_rng(entropy).random(settings.canaries) < 0.5

        def seeds(name: str, trial: int = trial) -> bytes | None:
            return settings.seeds(f"{label}/{trial}/{name}")

        scores = SCORES[settings.mechanism](promise, inside, seeds)
        found.append((scores[inside], scores[~inside]))
    return found


def _bound(settings: AuditSettings, trials: list[Trial]) -> float:
    """Return the largest bound; each trial may err with its share of 5 % (Bonferroni)."""
    return max(
        audited_epsilon(
            *each,
            delta=settings.promise.delta,
            guesses=settings.guesses,
            significance=(1 - CONFIDENCE) / settings.trials,
        )
        for each in trials
    )


def _membership(trials: list[Trial]) -> dict[str, float]:
    """Return the means over the trials."""
    rates = [true_positive_rate(*each, false_positives=_FALSE_POSITIVES) for each in trials]
    return {
        "auc": float(np.mean([auc(*each) for each in trials])),
        "tpr_at_1_percent_fpr": float(np.mean(rates)),
    }


@contextmanager
def _quiet_flower() -> Iterator[None]:
    """Keep Flower from logging a run for each trial."""
    logger = logging.getLogger("flwr")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
