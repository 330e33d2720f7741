"""Who takes part in a private round, which replies count, and what of them is released."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from logging import WARNING

import numpy as np
from flwr.common import log

from parity_flwr.core.privacy.central import CentralPrivacy, release
from parity_flwr.core.privacy.clipping import row_norms
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.records import Verdict
from parity_flwr.core.rows import MatrixRows
from parity_flwr.strategies.arrays import moved
from parity_flwr.strategies.exchange import Exchange
from parity_flwr.strategies.facts import update_rows
from parity_flwr.strategies.gate import Arrays
from parity_flwr.strategies.intake import Answer


def drawn(nodes: Mapping[str, int], *, sampling: float, stream: RandomStream) -> dict[str, int]:
    """Return the nodes that take part: each with the same probability, in secret."""
    if sampling == 1.0:
        return dict(nodes)
    taken = stream.uniforms(len(nodes)) < sampling
    return {name: nodes[name] for name, each in zip(sorted(nodes), taken, strict=True) if each}


def accepted_models(answers: Iterable[Answer]) -> list[Arrays]:
    """Return the models of the replies that the gate let through; log the others."""
    models = []
    for each in answers:
        if each.verdict in (Verdict.QUARANTINED, Verdict.MISSING):
            log(WARNING, "\t> %s %s: %s", each.asked.identity, each.verdict, each.reason)
        if each.passed is not None and each.verdict is Verdict.ACCEPTED:
            models.append(each.passed.arrays)
    return models


def released_model(
    exchange: Exchange,
    models: Sequence[Arrays],
    *,
    clip: float,
    privacy: CentralPrivacy,
    multiplier: float,
    stream: RandomStream,
) -> tuple[Arrays, float]:
    """Return the base moved by the noisy average of the clipped updates, and the next clip.

    Integer arrays stay as they are. Without a model it is noise alone.
    """
    base = exchange.base
    rows = update_rows(models, base) if models else _no_rows(base)
    released = release(
        rows,
        norms=row_norms(rows) if models else np.empty(0),
        clip=clip,
        privacy=privacy,
        multiplier=multiplier,
        stream=stream,
    )
    counters = {name: each for name, each in base.items() if each.dtype.kind != "f"}
    return moved(base, released.update, counters), released.clip


def _no_rows(base: Arrays) -> MatrixRows:
    length = sum(array.size for array in base.values() if array.dtype.kind == "f")
    return MatrixRows(np.empty((0, length), np.float32))
