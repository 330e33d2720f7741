"""Build 1,000 random Merkle trees in Python, with npm's library, and on the contract.

usage: python tests/drill_contracts.py [TREES]   (needs node and `make contracts` before)

Every root and every proof of Python's tree has to be the one of @openzeppelin/merkle-tree,
and Rewards has to pay a random leaf of it by its proof, and the same leaf changed not at all.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from eth_tester.exceptions import TransactionFailed

from contract_chain import TOKEN, Chain, Leaf, address, tree
from parity_flwr.chain_bridge.contracts import LEAF_TYPES

TOOLS = Path(__file__).resolve().parent.parent / "chain_bridge" / "contracts" / "tools"
BATCH = 50


def random_leaves(rng: random.Random) -> list[Leaf]:
    """Return 1 to 200 leaves; all values are random."""
    count = rng.choice([1, 2, 3, rng.randint(4, 40), rng.randint(41, 200)])
    return [
        (rng.randbytes(32), address(rng.getrandbits(40)), rng.randrange(10**9),
         rng.randrange(1, 100 * TOKEN))
        for _ in range(count)
    ]  # fmt: skip


def npm_trees(batch: list[list[Leaf]]) -> list[dict[str, object]]:
    """Return root and proofs of each tree as npm's library builds them."""
    requests = [
        {
            "types": LEAF_TYPES,
            "values": [["0x" + row[0].hex(), row[1], str(row[2]), str(row[3])] for row in rows],
        }
        for rows in batch
    ]
    done = subprocess.run(
        ["node", str(TOOLS / "merkle.mjs")],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        check=True,
    )
    built: list[dict[str, object]] = json.loads(done.stdout)
    return built


def pays(chain: Chain, rows: list[Leaf], index: int) -> bool:
    """Say whether the contract pays this leaf, and pays nothing for it changed."""
    made = tree(rows)
    key, _ = chain.record(rows)
    wrong = (*rows[index][:3], rows[index][3] + 1)
    claim = chain.rewards.functions.claim
    try:
        claim(key, wrong, made.proof(index)).call({"gas": 1_000_000})
    except TransactionFailed:
        pass
    else:
        return False
    claim(key, rows[index], made.proof(index)).call({"gas": 1_000_000})
    return True


def run(count: int, *, seed: int = 18) -> int:
    """Compare so many trees; return how many agree everywhere."""
    rng = random.Random(seed)
    chain = Chain(delay=0)
    chain.fund(10**7 * TOKEN)
    right = 0
    for start in range(0, count, BATCH):
        batch = [random_leaves(rng) for _ in range(min(BATCH, count - start))]
        for rows, npm in zip(batch, npm_trees(batch), strict=True):
            made = tree(rows)
            proofs = [
                ["0x" + node.hex() for node in made.proof(index)] for index in range(len(rows))
            ]
            same = npm == {"root": "0x" + made.root.hex(), "proofs": proofs}
            right += same and pays(chain, rows, rng.randrange(len(rows)))
    return right


def main() -> int:
    """Run the drill and print its figures as JSON."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    right = run(count)
    print(json.dumps({"merkle_trees": count, "equal": right}))
    return right != count


if __name__ == "__main__":
    sys.exit(main())
