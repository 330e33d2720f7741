"""What rounds and claims cost on chain, beside the loop over all participants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from parity_flwr.app.economy.own_chain import OwnChain
from parity_flwr.chain_bridge import membership
from parity_flwr.chain_bridge.calls import encode_call, encode_creation
from parity_flwr.chain_bridge.contracts import artifact
from parity_flwr.chain_bridge.membership import RoundKey
from parity_flwr.chain_bridge.rounds import RoundAnchor
from parity_flwr.core.abi import checksum_address, keccak256
from parity_flwr.core.anchoring import Intent
from parity_flwr.core.economy.amounts import UNIT
from parity_flwr.core.economy.reward_tree import LEAF_TYPES, Member, RewardLeaf, RewardTree
from parity_flwr.core.merkle import MerkleTree

Report = Callable[[str], None]

_CHUNK = 200  # accounts that a block has room for when each is written the first time
_EARNED = 25 * UNIT  # by each participant in each round
_REPUTATION = 500_000_000


def bench_gas(counts: Sequence[int], *, report: Report) -> dict[str, Any]:
    """Return gas by the number of participants, as the embedded chain charges it.

    Parameters
    ----------
    counts : sequence of int
        How many participate.
    report : callable
        Gets a line when one of them is done.

    Returns
    -------
    dict
        ``round`` (any but the first), ``first_round``, ``claim`` (by an account that
        claimed before; the dearest of three), ``new_claim`` and ``naive`` (a later round of
        a loop over all), each gas by the number, in digits.
    """
    names = ("round", "first_round", "claim", "new_claim", "naive")
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    for count in counts:
        with _chain(count) as own:
            used = _rounds_and_claims(own, count) | {"naive": _naive(own, count)}
        for name, gas in used.items():
            found[name][str(count)] = gas
        report(f"{count} participants: done")
    return found


@contextmanager
def _chain(count: int) -> Iterator[OwnChain]:
    own = OwnChain(pool=3 * count * _EARNED, stakes=0, base_penalty=UNIT)
    try:
        yield own
    finally:
        own.close()


def _rounds_and_claims(own: OwnChain, count: int) -> dict[str, int]:
    _, _, first = _recorded(own, count, step=1)
    key, tree, _ = _recorded(own, count, step=2)
    new = _claims(own, key, tree)
    key, tree, later = _recorded(own, count, step=3)
    known = _claims(own, key, tree)
    return {"round": later, "first_round": first, "claim": known, "new_claim": new}


def _recorded(own: OwnChain, count: int, *, step: int) -> tuple[RoundKey, RewardTree, int]:
    """Record a round in which everybody has earned ``step`` times; return its gas."""
    tree = _tree(count, step)
    cid = bytes.fromhex("01551220") + keccak256(b"content %d" % step)
    anchor = RoundAnchor(
        round=step,
        model_hash=keccak256(b"model %d" % step),
        reward_root=tree.root,
        total=tree.total,
        model_cid=cid,
        scores_cid=cid,
    )
    return own.record(anchor), tree, _gas(own, anchor.key)


def _tree(count: int, step: int) -> RewardTree:
    leaves = tuple(
        RewardLeaf(
            name=f"client-{i}",
            member=Member(identity=keccak256(b"node %d" % i), account=_account(i)),
            reputation=_REPUTATION + step,
            cumulative=step * _EARNED,
        )
        for i in range(count)
    )
    return RewardTree(leaves, MerkleTree.of([one.values for one in leaves], types=LEAF_TYPES))


def _claims(own: OwnChain, key: RoundKey, tree: RewardTree) -> int:
    """Return the most gas that one of three claims needs: proofs differ in length."""
    used, count = [], len(tree.leaves)
    for index in sorted({0, count // 3, count - 1}):
        leaf, proof = tree.find(tree.leaves[index].name)
        intent = membership.claim_intent(key, leaf, proof, deployment=own.deployment)
        own.send(intent)
        used.append(_gas(own, intent.key))
    return max(used)


def _naive(own: OwnChain, count: int) -> int:
    """Credit everybody twice in a loop; return the gas of the second round."""
    loop = artifact("NaiveLedger")
    made = own.send(Intent(key="naive", to=None, data=encode_creation(loop, ())))
    accounts = [_account(i) for i in range(count)]

    def credit(some: list[str], step: int) -> int:
        amounts = [step] * len(some)
        data = encode_call(loop, "creditRound", (some, amounts, amounts))
        key = f"naive/{step}/{some[0]}"
        own.send(Intent(key=key, to=made.created, data=data))
        return _gas(own, key)

    for start in range(0, count, _CHUNK):  # together they would not fit into a block
        credit(accounts[start : start + _CHUNK], 1)
    return credit(accounts, 2)


def _account(number: int) -> str:
    return checksum_address(keccak256(b"account %d" % number)[:20].hex())


def _gas(own: OwnChain, key: str) -> int:
    row = own.sender.outbox.find(key)
    return 0 if row is None or row.gas_used is None else row.gas_used
