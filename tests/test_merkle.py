"""P-18: root and proofs equal those of OpenZeppelin's own package, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.core.abi import AbiValue, abi_encode, checksum_address, keccak256
from parity_flwr.core.merkle import (
    MAX_PROOF,
    MerkleTree,
    leaf_hash,
    node_hash,
    process_proof,
    verify,
)
from parity_flwr.errors import ConfigError

# The file's head says which package made it and how.
VECTORS = json.loads((Path(__file__).parent / "data" / "merkle_vectors.json").read_text())
PAYOUT = ("address", "uint256")


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def typed(kind: str, value: Any) -> AbiValue:
    if kind in ("uint256", "int256"):
        return int(value)
    return raw(value) if kind in ("bytes32", "bytes") else value


def typed_row(types: list[str], row: list[Any]) -> list[AbiValue]:
    return [typed(kind, value) for kind, value in zip(types, row, strict=True)]


def address(i: int) -> str:
    return "0x" + keccak256(bytes([i]))[-20:].hex()


def payouts(n: int) -> list[tuple[AbiValue, ...]]:
    return [(address(i), i * 10**18) for i in range(n)]


@pytest.mark.parametrize("vector", VECTORS["trees"], ids=lambda vector: vector["name"])
def test_trees_equal_openzeppelins(vector: dict[str, Any]) -> None:
    types = vector["types"]
    rows = [typed_row(types, row) for row in vector["rows"]]
    tree = MerkleTree.of(rows, types=types)
    assert tree.root == raw(vector["root"])
    assert tree.nodes == tuple(raw(node) for node in vector["nodes"])
    assert tree.positions == tuple(vector["positions"])
    for index, (row, proof) in enumerate(zip(rows, vector["proofs"], strict=True)):
        assert tree.proof(index) == tuple(raw(node) for node in proof)
        assert verify(tree.root, row, tree.proof(index), types=types)


def test_the_published_example_has_its_published_root() -> None:
    # README of npm @openzeppelin/merkle-tree; the root is also in its ports to other languages.
    rows = [("0x" + "1" * 40, 5 * 10**18), ("0x" + "2" * 40, 25 * 10**17)]
    root = "d4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77"
    assert MerkleTree.of(rows, types=PAYOUT).root.hex() == root


@pytest.mark.parametrize("vector", VECTORS["abi"], ids=range(len(VECTORS["abi"])))
def test_abi_encoding_equals_metamasks(vector: dict[str, Any]) -> None:
    values = typed_row(vector["types"], vector["values"])
    assert abi_encode(vector["types"], values) == raw(vector["encoded"])


def test_abi_encoding_by_hand() -> None:
    # Solidity ABI specification, "Use of Dynamic Types": offsets count from the first head.
    words = ["40".zfill(64), "07".zfill(64), "03".zfill(64), "616263".ljust(64, "0")]
    assert abi_encode(["string", "uint256"], ["abc", 7]).hex() == "".join(words)
    assert abi_encode(["int256"], [-1]) == b"\xff" * 32
    assert abi_encode([], []) == b""


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        # Keccak team, KeccakKAT-3.zip, ShortMsgKAT_256.txt (Len = 0, 8, 16, 24)
        ("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        ("cc", "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a"),
        ("41fb", "a8eaceda4d47b3281a795ad9e1ea2122b407baf9aabcb9e18b5717b7873537d2"),
        ("1f877c", "627d7bc1491b2ab127282827b8de2d276b13d7d70fb4c5957fdf20655bc7ac30"),
        # around the rate of 136 bytes, by npm ethereum-cryptography
        *((vector["message"], vector["digest"]) for vector in VECTORS["keccak"]),
    ],
)
def test_keccak_vectors(message: str, digest: str) -> None:
    assert keccak256(bytes.fromhex(message)) == raw(digest)


@pytest.mark.parametrize(
    "written",
    [  # EIP-55's own examples
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_addresses_carry_a_checksum(written: str) -> None:
    assert checksum_address(written[2:].lower()) == written
    encoded = abi_encode(["address"], [written])
    assert encoded == bytes(12) + bytes.fromhex(written[2:])
    assert abi_encode(["address"], [written.lower()]) == encoded
    assert abi_encode(["address"], [bytes.fromhex(written[2:])]) == encoded
    with pytest.raises(ConfigError, match="EIP-55"):
        abi_encode(["address"], ["0x" + written[2:].swapcase()])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("address", "11" * 20),
        ("address", "0x" + "11" * 19),
        ("address", "0x" + "1g" * 20),
        ("address", "0x" + "１" * 40),
        ("address", bytes(32)),
        ("address", 17),
        ("uint256", -1),
        ("uint256", 1 << 256),
        ("uint256", True),
        ("uint256", "1"),
        ("uint256", 1.0),
        ("int256", 1 << 255),
        ("int256", -(1 << 255) - 1),
        ("bytes32", bytes(31)),
        ("bytes32", "0x" + "00" * 32),
        ("bool", 1),
        ("string", b"text"),
        ("string", "\ud800"),
        ("bytes", "text"),
        ("uint8", 1),
        ("uint256[]", 1),
    ],
)
def test_a_value_of_another_type_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(ConfigError, match="ABI encoding needs"):
        abi_encode([kind], [value])


def test_extremes_of_the_integers_are_encoded() -> None:
    assert abi_encode(["uint256"], [(1 << 256) - 1]) == b"\xff" * 32
    assert abi_encode(["int256"], [-(1 << 255)]) == b"\x80" + bytes(31)
    with pytest.raises(ConfigError, match="one type for each value"):
        abi_encode(["uint256"], [1, 2])


def test_a_single_leaf_is_its_own_root() -> None:
    tree = MerkleTree.of(payouts(1), types=PAYOUT)
    assert tree.root == leaf_hash(PAYOUT, payouts(1)[0])
    assert tree.proof(0) == ()
    assert verify(tree.root, payouts(1)[0], (), types=PAYOUT)


def test_an_empty_tree_is_refused() -> None:
    with pytest.raises(ConfigError, match="a Merkle tree needs a leaf"):
        MerkleTree.of([], types=PAYOUT)


@pytest.mark.parametrize("index", [-1, 3])
def test_a_proof_needs_a_leaf_of_the_tree(index: int) -> None:
    with pytest.raises(ConfigError, match="index from 0 to 2"):
        MerkleTree.of(payouts(3), types=PAYOUT).proof(index)


@given(st.integers(1, 40), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(n: int, shuffler: Any) -> None:
    rows = payouts(n)
    root = MerkleTree.of(rows, types=PAYOUT).root
    shuffler.shuffle(rows)
    tree = MerkleTree.of(rows, types=PAYOUT)
    assert tree.root == root
    assert all(len(tree.proof(i)) <= (n - 1).bit_length() for i in range(n))


@given(st.integers(2, 33), st.data())
def test_any_changed_byte_fails(n: int, data: st.DataObject) -> None:
    rows = payouts(n)
    tree = MerkleTree.of(rows, types=PAYOUT)
    index = data.draw(st.integers(0, n - 1))
    proof = tree.proof(index)
    leaf = leaf_hash(PAYOUT, rows[index])
    path = [tree.root, leaf, *proof]
    which = data.draw(st.integers(0, len(path) - 1))
    changed = bytearray(path[which])
    changed[data.draw(st.integers(0, 31))] ^= data.draw(st.integers(1, 255))
    path[which] = bytes(changed)
    assert process_proof(path[1], path[2:]) != path[0]
    if which != 1:
        assert not verify(path[0], rows[index], path[2:], types=PAYOUT)


@given(st.integers(2, 20), st.data())
def test_a_proof_is_for_its_own_values_only(n: int, data: st.DataObject) -> None:
    rows = payouts(n)
    tree = MerkleTree.of(rows, types=PAYOUT)
    index = data.draw(st.integers(0, n - 1))
    proof = tree.proof(index)
    who, amount = rows[index]
    assert isinstance(amount, int)
    assert not verify(tree.root, (who, amount + 1), proof, types=PAYOUT)
    assert not verify(tree.root, (address(200), amount), proof, types=PAYOUT)
    assert not verify(tree.root, rows[index], proof[:-1], types=PAYOUT)
    assert not verify(tree.root, rows[index], (*proof, tree.root), types=PAYOUT)


def test_two_inner_nodes_do_not_pass_for_a_leaf() -> None:
    # The second-preimage attack: 64 bytes of two children, offered as a leaf's values.
    tree = MerkleTree.of(payouts(4), types=PAYOUT)
    left, right = sorted(tree.nodes[3:5])
    assert node_hash(left, right) == tree.nodes[1]
    assert not verify(tree.root, [left, right], [tree.nodes[2]], types=["bytes32", "bytes32"])


@pytest.mark.parametrize(
    "proof",
    [[b"short"], ["0x" + "00" * 32], [None], [bytes(32)] * (MAX_PROOF + 1), [bytes(33)]],
)
def test_a_malformed_proof_is_false(proof: Any) -> None:
    tree = MerkleTree.of(payouts(2), types=PAYOUT)
    assert not verify(tree.root, payouts(2)[0], proof, types=PAYOUT)


@pytest.mark.parametrize("root", [b"", "0x" + "00" * 32, None])
def test_a_malformed_root_is_false(root: Any) -> None:
    assert not verify(root, payouts(1)[0], [], types=PAYOUT)
