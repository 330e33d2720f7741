"""Ethereum's libraries must not take Python's guard against deep recursion away."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import json, sys
before = sys.getrecursionlimit()
from parity_flwr.chain_bridge.connecting import connect
from parity_flwr.chain_bridge.wallet import Wallet
Wallet.generate()
chain = connect("embedded")
node = connect("http://127.0.0.1:1", chain_id=1)
chain.close()
assert sys.getrecursionlimit() == before, sys.getrecursionlimit()
try:
    json.loads("[" * 100_000)
except RecursionError:
    print("refused")
"""


def test_nested_json_is_an_error_and_no_crash() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr
