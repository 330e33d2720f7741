"""The long drills of the bridge: ``make drill``, or ``python tests/drill_chain.py [NAME...]``.

race, kills, reorgs, faults, outage and rounds, each printed with its figures as one JSON
object a line. All but the last need anvil (npm install --no-save @foundry-rs/anvil@1.7.1).
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from anvil_node import Anvil, find_anvil
from chain_cases import ETHER, WALLET
from chain_drills import faults, kills, race, reorgs
from chain_rounds import deployed, recorded, thousand, training
from faulty_proxy import FaultyProxy
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.json_rpc import JsonRpcChain
from parity_flwr.chain_bridge.wallet import Wallet

Figures = dict[str, object]
OUTAGE_S = 600.0


def drill_race(folder: Path) -> Figures:
    """Send from 20 threads at once with one key, on both chains."""
    wallet = Wallet.generate()
    with EmbeddedChain() as chain:
        chain.fund(wallet.address, ETHER)
        race(chain, folder / "embedded", wallet=wallet, threads=20)
    with _node() as anvil:
        anvil.fund(wallet.address, ETHER)
        race(anvil.chain(), folder / "anvil", wallet=wallet, threads=20)
    return {"threads": 20, "mined": 20}


def drill_kills(folder: Path) -> Figures:
    """Kill a sender in each of six states 50 times."""
    with _node() as anvil:
        return {"kills": kills(anvil, folder, times=50), "exactly_once": 300}


def drill_reorgs(folder: Path) -> Figures:
    """Reorganise 1 to 5 blocks 20 times each, and 64."""
    with _node() as anvil:
        deep = reorgs(anvil, folder / "deep", depths=[64], seed=64)
        depths = [1, 2, 3, 4, 5] * 4
        done = sum(reorgs(anvil, folder / str(n), depths=depths, seed=n) for n in range(5))
    return {"reorganisations": done, "of_64": deep, "equal_to_fresh_backfill": done + deep}


def drill_faults(folder: Path) -> Figures:
    """Send 1,000 transactions through a proxy that fails in three of ten requests."""
    with _node() as anvil:
        share = faults(anvil, folder, operations=1000, share=0.3, seed=1)
    return {"operations": 1000, "exactly_once": 1000, "failed_requests": round(share, 3)}


def drill_outage(folder: Path) -> Figures:
    """Take the node away for ten minutes while rounds go on."""
    with _node() as anvil, FaultyProxy(anvil.url, share=0.0, seed=0) as proxy:
        anvil.fund(WALLET.address, ETHER)
        deployment = deployed(anvil.chain(), folder)
        chain = JsonRpcChain(proxy.url, expected_chain_id=deployment.chain_id)
        with training(chain, deployment, folder, clients=20, longest_s=30.0) as run:
            proxy.down, began, waited = True, time.monotonic(), [run.round()]
            while time.monotonic() - began < OUTAGE_S:
                time.sleep(5.0)
                waited.append(run.round())
            proxy.down = False
            assert run.publisher.wait(timeout_s=300), run.publisher.trouble
        numbers = [each[0] for each in recorded(anvil.chain(), deployment)]
    assert numbers == list(range(1, len(waited) + 1))
    assert max(waited) < 1.0, max(waited)
    return {"outage_s": OUTAGE_S, "rounds": len(waited), "longest_wait_s": max(waited)}


def drill_rounds(folder: Path) -> Figures:
    """Record 1,000 rounds of 100 clients on the embedded chain."""
    first, last = thousand(folder, rounds=1000, clients=100)
    assert last <= 1.5 * first, (first, last)
    return {"rounds": 1000, "clients": 100, "first_s": first, "last_s": last}


DRILLS: dict[str, Callable[[Path], Figures]] = {
    "race": drill_race,
    "kills": drill_kills,
    "reorgs": drill_reorgs,
    "faults": drill_faults,
    "rounds": drill_rounds,
    "outage": drill_outage,
}


def _node() -> Anvil:
    program = find_anvil()
    if program is None:
        sys.exit("needs anvil: npm install --no-save @foundry-rs/anvil@1.7.1")
    return Anvil(program)


def main(names: list[str]) -> int:
    """Run the drills; an assertion that fails ends them."""
    logging.disable(logging.ERROR)
    for name in names or list(DRILLS):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            figures = DRILLS[name](Path(folder))
        seconds = round(time.monotonic() - began, 1)
        print(json.dumps({"drill": name, **figures, "seconds": seconds}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
