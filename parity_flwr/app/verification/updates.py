"""The check that goes back to the updates themselves, where they were kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.journal.chain import Entry, Record
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.app.verification.decisions import trust_config
from parity_flwr.core.config import TrustConfig
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.encryption.terms import CIPHERTEXT
from parity_flwr.core.records import (
    ReplyFacts,
    ReputationState,
    RoundRecord,
    RoundStatus,
    RunHeader,
    Verdict,
)
from parity_flwr.core.response_root import ROOT_IDENTITY
from parity_flwr.core.response_rule import rule_for
from parity_flwr.errors import CheckpointError, ParityError
from parity_flwr.strategies.facts import Measuring, gather_facts
from parity_flwr.strategies.gate import Passed
from parity_flwr.strategies.intake import Answer, Asked
from parity_flwr.strategies.settlement import fit

Arrays = Mapping[str, NDArray[Any]]

_TOLERANCE = 1e-6  # another machine's matrix product may round differently
_WHOLE = 1 - 1e-9  # weights that sum to less leave the rest to the old model


class Updates(Protocol):
    """Where the models are that clients returned; errors are ``CheckpointError``."""

    def has(self, round_number: int, identity: str) -> bool:
        """Say whether one client's is there."""
        ...

    def read(self, round_number: int, identity: str) -> dict[str, NDArray[Any]]:
        """Return what one client returned."""
        ...

    def base(self, round_number: int, *, expected_hash: str) -> dict[str, NDArray[Any]]:
        """Return the model that was sent out."""
        ...

    def place(self, round_number: int, identity: str) -> str:
        """Say where one client's should be."""
        ...


class UpdatesCheck:
    """Hashes, figures and, under plain FedAvg, the new model come out of the updates again.

    Rounds measured by a rule other than the default one do not come out. Of encrypted updates
    only the hashes are checked.

    Parameters
    ----------
    source : Updates
        What ``keep_updates`` kept.
    seed : bytes, keyword-only
        The sketches' seed; without it nothing can be measured again.
    """

    def __init__(self, source: Updates, *, seed: bytes = b"") -> None:
        self._findings = Findings("updates")
        self._store = source
        self._seed = seed
        self._inner = ""
        self._config = TrustConfig()
        self._state = ReputationState()
        self._memory: Mapping[str, NDArray[np.float64]] = {}
        self._begun = False

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RunHeader):
            self._see_header(record)
        elif isinstance(record, RoundRecord) and self._seed:
            self._begun = True
            try:
                self._see_round(record)
            except (ParityError, ArithmeticError, LookupError, TypeError, ValueError) as error:
                self._findings.require(False, f"round {record.round}: {error}"[:300])
            self._state = record.state

    def line(self) -> Line:
        """Return the outcome."""
        nothing = (
            "no update was accepted" if self._seed else "the sketch seed is not revealed yet"
        )
        return self._findings.line("figures measured again", otherwise=nothing)

    def _see_header(self, header: RunHeader) -> None:
        self._inner = header.inner
        try:
            self._config = trust_config(header)
        except ParityError as error:
            self._findings.require(False, str(error))
        if not self._begun:
            self._state = header.initial_state

    def _see_round(self, record: RoundRecord) -> None:
        accepted = [r for r in record.facts.replies if r.verdict is Verdict.ACCEPTED]
        if not accepted:
            return
        base = self._store.base(record.round, expected_hash=record.base_hash)
        models = [self._read(record.round, reply) for reply in accepted]
        if all(CIPHERTEXT in model for model in models):
            return  # whose they are is checked; what they hold, only the key's holders know
        self._compare_figures(record, accepted, base, models)
        if self._inner == "FedAvg" and record.decision.status is RoundStatus.ACCEPTED:
            self._compare_model(record, accepted, base, models)

    def _read(self, round_number: int, reply: ReplyFacts) -> Arrays:
        arrays = self._store.read(round_number, reply.identity)
        if model_hash(arrays) != reply.update_hash:
            raise CheckpointError(
                f"{self._store.place(round_number, reply.identity)} needs the update "
                f"{reply.update_hash[:16]}",
                came=model_hash(arrays)[:16],
                action="restore the file from a backup",
            )
        self._findings.held += 1
        return arrays

    def _compare_figures(
        self,
        record: RoundRecord,
        accepted: Sequence[ReplyFacts],
        base: Arrays,
        models: Sequence[Arrays],
    ) -> None:
        answers = [
            Answer(
                Asked(reply.node_id, reply.identity),
                Verdict.ACCEPTED,
                passed=Passed(model, reply.num_examples or 0),
            )
            for reply, model in zip(accepted, models, strict=True)
        ]
        again, self._memory = gather_facts(
            answers, base=base, qualities={}, measuring=self._measuring(record.round)
        )
        for reply, measured in zip(accepted, again, strict=True):
            for name, old, new in _figures(reply, measured):
                self._findings.require(
                    math.isclose(old, new, rel_tol=_TOLERANCE, abs_tol=1e-9),
                    f"round {record.round}, {reply.identity!r:.60}: {name} is {old!r}, "
                    f"the update gives {new!r}",
                )

    def _measuring(self, round_number: int) -> Measuring:
        rooted = self._store.has(round_number, ROOT_IDENTITY)
        return Measuring(
            rule=rule_for(self._config.robustness),
            config=self._config,
            state=self._state,
            memory=self._memory,
            secret=self._seed,
            root=self._store.read(round_number, ROOT_IDENTITY) if rooted else None,
        )

    def _compare_model(
        self,
        record: RoundRecord,
        accepted: Sequence[ReplyFacts],
        base: Arrays,
        models: Sequence[Arrays],
    ) -> None:
        shares = {each.identity: each.weight for each in record.decision.replies}
        weighed = [
            (model, shares[reply.identity], reply.num_examples or 0)
            for reply, model in zip(accepted, models, strict=True)
            if shares.get(reply.identity, 0.0) > 0
        ]
        model = base if record.note else average(base, weighed)
        self._findings.require(
            model_hash(model) == record.model_hash,
            f"round {record.round}: the weighted updates give another model",
        )


def average(base: Arrays, weighed: Sequence[tuple[Arrays, float, int]]) -> Arrays:
    """Return the model that Flower's FedAvg makes of weighted replies, bit for bit.

    Parameters
    ----------
    base : mapping of str to ndarray
        The model that was sent out.
    weighed : sequence of (arrays, c_k, n_k)
        The replies with weight, in their order.
    """
    total = float(sum(examples for _, _, examples in weighed))
    shares = [(model, weight) for model, weight, _ in weighed]
    if sum(weight for _, weight in shares) < _WHOLE:
        shares.append((base, 1 - sum(weight for _, weight in shares)))
    replies = [(model, weight * total) for model, weight in shares]
    whole = sum(weight for _, weight in replies)
    summed: dict[str, NDArray[Any]] = {}
    for name, sent in base.items():
        if sent.dtype.kind == "f":
            parts = [model[name] * (weight / whole) for model, weight in replies]
            summed[name] = np.asarray(_sum(parts))
        else:
            ordered = np.sort(np.stack([model[name] for model, _ in replies]), axis=0)
            summed[name] = ordered[(len(replies) - 1) // 2]
    return fit(summed, base) or base


def _sum(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Add in order: floating-point addition is not associative."""
    result = parts[0].copy()
    for part in parts[1:]:
        result = result + part
    return result


def _figures(reply: ReplyFacts, again: ReplyFacts) -> list[tuple[str, float, float]]:
    """Pair the figures on record with the ones measured again; none may be missing."""
    old = {"norm": reply.norm, "rho": reply.rho, "deviation": reply.deviation, **reply.figures}
    new = {"norm": again.norm, "rho": again.rho, "deviation": again.deviation, **again.figures}
    missing = math.nan  # equal to nothing
    return [
        (name, missing if a is None else a, missing if b is None else b)
        for name in sorted(old.keys() | new.keys())
        for a, b in [(old.get(name), new.get(name))]
    ]
