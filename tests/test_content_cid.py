"""CIDs computed here are the ones that IPFS nodes give, and blocks lead back to the file."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_cases import VECTORS, base32, pattern, slow_cid
from parity_flwr.core.content.bases import BASE36, BASE58, encode_digits
from parity_flwr.core.content.cid import DAG_PB, RAW, Cid
from parity_flwr.core.content.dag_pb import Link, Node, decode_node, encode_node
from parity_flwr.core.content.unixfs import (
    CLASSIC,
    PROFILES,
    V0_2015,
    V1_2025,
    Profile,
    file_cid,
    read_file,
)
from parity_flwr.errors import ConfigError, ContentError

NARROW = [
    Profile(name="narrow", version=version, chunk=3, width=width)
    for version in (0, 1)
    for width in (2, 3, 5)
]
SIZES = st.integers(0, 200)


def blocks_of(data: bytes, profile: Profile) -> tuple[Cid, dict[Cid, bytes]]:
    blocks: dict[Cid, bytes] = {}
    return file_cid([data], profile=profile, sink=blocks.__setitem__), blocks


def read(root: Cid, fetch: Callable[[Cid], bytes], max_bytes: int = 1 << 20) -> bytes:
    return b"".join(read_file(root, fetch, max_bytes=max_bytes))


@pytest.mark.parametrize(("size", "v0", "v1", "wide"), VECTORS, ids=lambda each: str(each)[:12])
def test_cids_are_those_of_kubo_and_js_ipfs(size: int, v0: str, v1: str, wide: str) -> None:
    data = pattern(size)
    assert str(file_cid([data], profile=V0_2015)) == v0
    assert str(file_cid([data])) == v1
    assert str(file_cid([data], profile=V1_2025)) == wide


def test_the_wide_profile_links_1024_chunks() -> None:
    pieces = [bytes([i % 256]) for i in range(1025)]
    profile = Profile(name="x", version=1, chunk=1, width=V1_2025.width)
    whole = b"".join(pieces)
    assert bytes(file_cid(pieces, profile=profile)) == slow_cid(
        whole, version=1, chunk=1, width=1024
    )


@given(st.binary(max_size=200), st.sampled_from(NARROW), st.lists(SIZES, max_size=5))
def test_any_pieces_give_the_cid_of_the_plain_twin(
    data: bytes, profile: Profile, cuts: list[int]
) -> None:
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    right = slow_cid(
        b"".join(pieces), version=profile.version, chunk=profile.chunk, width=profile.width
    )
    assert bytes(file_cid(pieces, profile=profile)) == right


@given(st.binary(max_size=400), st.sampled_from(NARROW))
def test_blocks_lead_back_to_the_file(data: bytes, profile: Profile) -> None:
    root, blocks = blocks_of(data, profile)
    assert read(root, blocks.__getitem__) == data
    assert all(cid.fits(block) for cid, block in blocks.items())


@given(st.binary(min_size=1, max_size=100), st.sampled_from(NARROW), st.data())
def test_a_changed_block_is_named_and_never_used(
    data: bytes, profile: Profile, draw: st.DataObject
) -> None:
    root, blocks = blocks_of(data, profile)
    cid = draw.draw(st.sampled_from(sorted(blocks)))
    block = bytearray(blocks[cid])
    bit = draw.draw(st.integers(0, 8 * len(block) - 1))
    block[bit // 8] ^= 1 << bit % 8
    changed = {**blocks, cid: bytes(block)}
    with pytest.raises(ContentError, match=f"the content {cid} needs the block that it names"):
        read(root, changed.__getitem__)


def test_children_come_before_their_parents() -> None:
    seen: set[Cid] = set()

    def sink(cid: Cid, block: bytes) -> None:
        if cid.codec == DAG_PB:
            assert all(link.cid in seen for link in decode_node(block).links)
        seen.add(cid)

    file_cid([bytes(100)], profile=NARROW[3], sink=sink)


def test_memory_does_not_grow_with_the_file() -> None:
    import tracemalloc

    piece = bytes(1 << 20)
    tracemalloc.start()
    try:
        file_cid(piece for _ in range(64))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


@given(
    st.binary(min_size=32, max_size=32), st.sampled_from([(0, DAG_PB), (1, RAW), (1, DAG_PB)])
)
def test_every_text_of_a_cid_is_read(digest: bytes, kind: tuple[int, int]) -> None:
    cid = Cid(*kind, digest)
    raw = bytes(cid)
    assert len(raw) == (36 if cid.version else 34)
    assert Cid.from_bytes(raw) == Cid.parse(str(cid)) == cid
    if cid.version:
        assert str(cid) == base32(raw)
        assert Cid.parse("z" + encode_digits(raw, alphabet=BASE58)) == cid
        assert Cid.parse("k" + encode_digits(raw, alphabet=BASE36)) == cid


def test_a_node_and_we_read_one_cid_in_three_bases() -> None:
    # the empty file, as js-ipfs names it with each cid-base
    texts = (
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        "zb2rhmy65F3REf8SZp7De11gxtECBGgUKaLdiDj7MCGCHxbDW",
        "k2cwueebp9wws0fnm29jatrrbqocjaivp132efhd99cd5phw2odywbit",
    )
    first = Cid.parse(texts[0])
    assert first.digest == hashlib.sha256(b"").digest()
    found = [Cid.parse(text) for text in texts]
    assert found == [first] * 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Qm",
        "bafkrei",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykv",  # free bits set
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku ",
        "BAFKREIHDWDCEFGH4DQKJV67UZCMW7OJEE6XEDZDETOJUZJEVTENXQUVYKU",
        "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQ0",  # 0 is no digit
        "zQmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH",
        "b" * 4000,
        "\N{SNOWMAN}",
    ],
)
def test_what_is_no_cid_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="a CID needs"):
        Cid.parse(text)


@pytest.mark.parametrize(
    "data", [b"", b"\x01\x55\x12\x20", bytes(36), b"\x01\x71\x12\x20" + bytes(32)]
)
def test_other_bytes_are_no_cid(data: bytes) -> None:
    with pytest.raises(ConfigError, match="a CID needs"):
        Cid.from_bytes(data)


def link_to(block: bytes, size: int, codec: int = RAW) -> Link:
    return Link(Cid.of(block, codec=codec), len(block), size)


def rooted(node: Node) -> tuple[Cid, bytes]:
    block = encode_node(node)
    return Cid.of(block, codec=DAG_PB), block


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([(b"abc", 2)], "needs the 2 bytes that its parent names; got 3"),
        ([(b"abc", 4)], "needs the 4 bytes that its parent names; got 3"),
        ([(b"", 0)], "needs parts with bytes in them"),
        ([(b"x" * 600, 600), (b"y" * 600, 600)], "needs at most 1000 bytes; got more"),
    ],
)
def test_a_tree_that_lies_is_refused(parts: list[tuple[bytes, int]], message: str) -> None:
    blocks = {Cid.of(block, codec=RAW): block for block, _ in parts}
    cid, block = rooted(Node(b"", tuple(link_to(block, size) for block, size in parts)))
    blocks[cid] = block
    with pytest.raises(ContentError, match=message):
        read(cid, blocks.__getitem__, 1000)


def test_a_tree_of_endless_levels_is_refused() -> None:
    cid, size, blocks = Cid.of(b"x", codec=RAW), 1, {Cid.of(b"x", codec=RAW): b"x"}
    for _ in range(20):
        cid, block = rooted(Node(b"", (Link(cid, 1, size),)))
        blocks[cid] = block
    with pytest.raises(ContentError, match="no more levels and blocks than its bytes need"):
        read(cid, blocks.__getitem__)


@given(st.binary(max_size=60))
@settings(max_examples=300)
def test_hostile_nodes_are_refused_or_mean_themselves(block: bytes) -> None:
    try:
        node = decode_node(block)
    except ContentError:
        return
    assert encode_node(node) == block


def test_a_node_in_another_spelling_is_refused() -> None:
    block = encode_node(Node(b"abc", ()))
    assert decode_node(block).data == b"abc"
    longer = b"\x0a\x89\x00" + block[2:]  # the length 9 in two bytes
    with pytest.raises(ContentError, match="another form of one"):
        decode_node(longer)
    with pytest.raises(ContentError, match="a block of"):
        decode_node(bytes(3 << 20))


def test_profiles_are_known_by_name() -> None:
    assert PROFILES["unixfs-v1-2025"] is V1_2025
    assert (V1_2025.chunk, V1_2025.width, CLASSIC.chunk, CLASSIC.width) == (
        1 << 20,
        1024,
        256 << 10,
        174,
    )
    with pytest.raises(ConfigError, match="a profile needs"):
        Profile(name="x", version=2, chunk=1, width=2)
