"""Local differential privacy as a mod: the update is clipped and noised before it leaves."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Context, Message, MessageType, MetricRecord, RecordDict
from flwr.clientapp.typing import ClientAppCallable
from numpy.typing import NDArray

from parity_flwr.clients.client_ledger import ClientLedger
from parity_flwr.clients.messages import (
    NUM_EXAMPLES,
    array_record,
    array_record_of,
    arrays_of,
    category,
    config_of,
    partition_of,
    round_of,
    with_content,
)
from parity_flwr.core.privacy.combinations import Combination, NoisePlace, check_combination
from parity_flwr.core.privacy.ledger import Charge
from parity_flwr.core.privacy.local import LocalPrivacy
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.wire import RUN
from parity_flwr.errors import ConfigError

Arrays = Mapping[str, NDArray[Any]]


class LocalDPMod:
    """Clip the update, add noise, and charge the client's own ledger first.

    What leaves the client is base + noisy update and a constant "num-examples": its metrics,
    strings and integer arrays (counters) come from the data without noise, so they stay
    behind. So does evaluation on the client's data, unless ``evaluation`` lets it out
    uncovered. A client whose budget is spent answers with an error and no data. A round that
    is asked for twice is answered with fresh noise, which is charged again: a server that
    repeats rounds to average the noise away only empties the budget.

    Works for a whole app (``ClientApp(mods=[...])``, :func:`parity_mods`) and under
    ``@app.train(mods=[...])``, where it cannot see evaluate messages.

    Parameters
    ----------
    privacy : LocalPrivacy
        The promise.
    ledger_file : Path, optional, keyword-only
        Where the ledger outlives the SuperNode; ``Context.state`` otherwise.
    examples : int, keyword-only
        The "num-examples" that is sent: a public constant.
    evaluation : bool, keyword-only
        Whether evaluate messages are answered, with metrics that no noise covers; an error
        without data otherwise.
    noise_seed : bytes, optional, keyword-only
        For tests only: whoever knows it can subtract the noise.

    Examples
    --------
    >>> from parity_flwr.clients import parity_mods
    >>> mod = LocalDPMod(LocalPrivacy(epsilon=8.0, delta=1e-5, clip=1.0, rounds=10))
    >>> mods = parity_mods(inner=[mod])
    """

    def __init__(
        self,
        privacy: LocalPrivacy,
        *,
        ledger_file: Path | None = None,
        examples: int = 1,
        evaluation: bool = False,
        noise_seed: bytes | None = None,
    ) -> None:
        if type(examples) is not int or examples < 1:
            raise ConfigError(
                "a public number of examples needs to be an integer of at least 1",
                came=repr(examples),
                action="change examples",
            )
        self._privacy = privacy
        self._file = ledger_file
        self._examples = examples
        self._evaluation = evaluation
        self._noise_seed = noise_seed

    def __call__(
        self, message: Message, context: Context, call_next: ClientAppCallable
    ) -> Message:
        """Call the next mod, and let out what it returns with noise only."""
        kind = category(message)
        if kind == MessageType.EVALUATE and not self._evaluation:
            check_combination(Combination(dp=NoisePlace.LOCAL, client_metrics=True))
        if kind != MessageType.TRAIN:
            return call_next(message, context)
        ledger = ClientLedger(self._privacy.budget, context, self._file)
        charge = self._charge(message, context, ledger)
        ledger.affords(charge)
        base = arrays_of(message)  # before a client could change them
        reply = call_next(message, context)
        if reply.has_error():
            return reply
        returned = arrays_of(reply)
        ledger.charge(charge)
        return self._noised(reply, base, returned, charge)

    def _charge(self, message: Message, context: Context, ledger: ClientLedger) -> Charge:
        run, round_ = str(config_of(message).get(RUN, "")), round_of(message)
        return self._privacy.charge(
            run,
            round_,
            client=f"client-{partition_of(context)}",
            release=ledger.next_release(run, round_),
        )

    def _noised(
        self, reply: Message, base: Arrays, returned: Arrays, charge: Charge
    ) -> Message:
        seed = self._noise_seed or secrets.token_bytes(32)
        stream = RandomStream(seed, label=f"{charge.run}/{charge.round}/{charge.release}")
        names = [name for name, array in base.items() if array.dtype.kind == "f"]
        flat = [_difference(returned.get(name), base[name]) for name in names]
        noisy = self._privacy.noised(np.concatenate([*flat, np.empty(0)]), stream)
        arrays, start = dict(base), 0
        for name in names:
            step = noisy[start : start + base[name].size].reshape(base[name].shape)
            arrays[name] = np.asarray(base[name] + step, base[name].dtype)
            start += base[name].size
        content = RecordDict(
            {
                array_record_of(reply)[0]: array_record(arrays),
                "metrics": MetricRecord({NUM_EXAMPLES: self._examples}),
            }
        )
        return with_content(reply, content)


def _difference(returned: NDArray[Any] | None, base: NDArray[Any]) -> NDArray[np.float64]:
    """Return the flat update of one array; what does not fit the base is no update."""
    if returned is None or returned.shape != base.shape or returned.dtype.kind != "f":
        return np.zeros(base.size)
    with np.errstate(invalid="ignore", over="ignore"):  # infinities count as no update
        return np.asarray(returned, np.float64).ravel() - np.asarray(base, np.float64).ravel()
