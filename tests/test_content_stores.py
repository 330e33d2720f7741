"""Every store keeps what it is given under the CID computed here, and is never believed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from content_cases import pattern
from ipfs_servers import FAULTS, Node, Pinner, serving
from parity_flwr.chain_bridge.content.directory import DirectoryStore
from parity_flwr.chain_bridge.content.existing_client import IpfsHttpClientStore
from parity_flwr.chain_bridge.content.http import Service
from parity_flwr.chain_bridge.content.kubo import KuboStore, add_parameters
from parity_flwr.chain_bridge.content.pinning import PinningService
from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.records import PinState
from parity_flwr.core.content.unixfs import CLASSIC, V0_2015, V1_2025, Profile, file_cid
from parity_flwr.core.protocols import ContentStore, PinningTarget
from parity_flwr.errors import ConfigError, ContentError

# ipfshttpclient passes what urllib3 3 will refuse; its extra asks for an older one.
pytestmark = pytest.mark.filterwarnings("ignore:The 'strict' parameter:FutureWarning")

SIZES = (0, 1, 262144, 262145, 700_000)
Make = Callable[[Profile], ContentStore]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """Serve an IPFS node's RPC."""
    served = Node(tmp_path / "node")
    with serving(served):
        yield served


@pytest.fixture(params=["directory", "kubo", "client"])
def make(request: pytest.FixtureRequest, tmp_path: Path, node: Node) -> Make:
    """Return what makes a store of each kind."""
    if request.param == "directory":
        return lambda profile: DirectoryStore(folder=tmp_path / "blocks", profile=profile)
    if request.param == "kubo":
        return lambda profile: KuboStore(service=Service(url=node.url), profile=profile)
    return lambda profile: existing_client(node, profile)


def existing_client(node: Node, profile: Profile = CLASSIC) -> IpfsHttpClientStore:
    ipfshttpclient = pytest.importorskip("ipfshttpclient")
    port = node.url.rpartition(":")[2]
    client = ipfshttpclient.Client(f"/ip4/127.0.0.1/tcp/{port}/http")
    return IpfsHttpClientStore(client, profile=profile)


@pytest.mark.parametrize("profile", [CLASSIC, V0_2015], ids=lambda each: each.name)
def test_every_store_returns_what_it_was_given(make: Make, profile: Profile) -> None:
    store = make(profile)
    assert store.profile is profile
    for size in SIZES:
        data = pattern(size)
        cid = store.put(data)
        assert cid == str(file_cid([data], profile=profile))
        assert store.get(cid, max_bytes=size) == data
        assert store.put(iter((data[:3], memoryview(data)[3:]))) == cid
        store.pin(cid)


def test_every_store_refuses_more_than_it_may_return(make: Make) -> None:
    store = make(CLASSIC)
    cid = store.put(pattern(300_000))
    with pytest.raises(ContentError, match="needs at most 299999 bytes; got more"):
        store.get(cid, max_bytes=299_999)


def test_every_store_names_what_it_does_not_have(make: Make) -> None:
    store = make(CLASSIC)
    cid = str(file_cid([b"nowhere"]))
    with pytest.raises(ContentError):
        store.get(cid, max_bytes=100)
    with pytest.raises(ContentError):
        store.pin(cid)
    with pytest.raises(ConfigError, match="a CID needs"):
        store.get("../../etc/passwd", max_bytes=100)


def test_a_wide_profile_is_asked_for(tmp_path: Path, node: Node) -> None:
    store = KuboStore(service=Service(url=node.url), profile=V1_2025)
    data = pattern(3 << 20)
    assert store.get(store.put(data), max_bytes=len(data)) == data
    assert node.asked[0][1]["max-file-links"] == "1024"
    assert node.asked[0][1] == add_parameters(V1_2025)
    with pytest.raises(ConfigError, match="174 links"):
        IpfsHttpClientStore(object(), profile=V1_2025)


@pytest.mark.parametrize("fault", ["flips", "endless", *FAULTS])
def test_a_node_that_sends_something_else_is_not_believed(node: Node, fault: str) -> None:
    for store in (KuboStore(service=Service(url=node.url)), existing_client(node)):
        node.fault = ""
        cid = store.put(b"some content")
        node.fault = fault
        with pytest.raises(ContentError) as caught:
            store.get(cid, max_bytes=1000)
        assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("fault", ["adds", *FAULTS])
def test_a_node_that_names_a_file_otherwise_is_not_believed(node: Node, fault: str) -> None:
    for store in (KuboStore(service=Service(url=node.url)), existing_client(node)):
        node.fault = fault
        with pytest.raises(ContentError):
            store.put(b"some content")


@pytest.mark.parametrize("fault", ["unpinned", *FAULTS])
def test_a_node_that_does_not_pin_is_noticed(node: Node, fault: str) -> None:
    for store in (KuboStore(service=Service(url=node.url)), existing_client(node)):
        node.fault = ""
        cid = store.put(b"some content")
        node.fault = fault
        with pytest.raises(ContentError):
            store.pin(cid)


def test_a_node_that_answers_in_another_base_is_the_same(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parity_flwr.core.content.bases import BASE58, encode_digits

    plain = DirectoryStore.put

    def other_base(self: DirectoryStore, data: bytes) -> str:
        return "z" + encode_digits(bytes(Cid.parse(plain(self, data))), alphabet=BASE58)

    monkeypatch.setattr(DirectoryStore, "put", other_base)
    cid = KuboStore(service=Service(url=node.url)).put(b"hello world")
    assert cid == "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"


def test_a_node_that_is_away_or_silent_is_an_error_in_time(node: Node) -> None:
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    away = KuboStore(service=Service(url=f"http://127.0.0.1:{port}"))
    with pytest.raises(ContentError, match="ConnectError"):
        away.put(b"x")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ContentError, match="Timeout"):
            KuboStore(service=Service(url=url, timeout_s=0.1)).put(b"x")


def test_a_node_that_drips_is_cut_off() -> None:
    stop = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not stop.wait(0.02):
                connection.sendall(b"x")

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        store = KuboStore(service=Service(url=url, timeout_s=5, deadline_s=0.3))
        try:
            with pytest.raises(ContentError, match=r"an answer within 0\.3 s"):
                store.get(str(file_cid([b"x"])), max_bytes=1 << 20)
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("", ""),
        ("ftp://127.0.0.1", ""),
        ("http://user:secret@127.0.0.1:5001", ""),
        ("http://127.0.0.1:5001/?x=1", ""),
        ("http://127.0.0.1:99999999", ""),
        ("http://node.example.org:5001", "secret"),
        ("https://node.example.org", "sec\nret"),
    ],
)
def test_a_service_that_would_leak_is_refused(url: str, token: str) -> None:
    with pytest.raises(ConfigError, match="a content service needs") as caught:
        Service(url=url, token=token)
    assert "secret" not in str(caught.value)


def test_tokens_are_not_shown() -> None:
    assert "secret" not in repr(Service(url="https://node.example.org", token="secret"))


def test_a_damaged_block_is_named_not_used_and_repaired(tmp_path: Path) -> None:
    store = DirectoryStore(folder=tmp_path, profile=replace(CLASSIC, chunk=100, width=3))
    data = pattern(1000)
    cid = store.put(data)
    blocks = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(blocks) == 17  # 10 chunks, then 4, 2 and 1 nodes of at most 3 links
    for path in blocks:
        for bad in (path.read_bytes()[:-1], path.read_bytes() + b"x", b"", bytes(3 << 20)):
            path.write_bytes(bad)
            with pytest.raises(ContentError, match=path.name):
                store.get(cid, max_bytes=1000)
        path.unlink()
        with pytest.raises(ContentError, match=path.name):
            store.pin(cid)
        assert store.put(data) == cid
        assert store.get(cid, max_bytes=1000) == data


def test_a_killed_write_leaves_no_block_under_a_name(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield pattern(250)
        raise KeyboardInterrupt

    store = DirectoryStore(folder=tmp_path, profile=replace(CLASSIC, chunk=100, width=3))
    with pytest.raises(KeyboardInterrupt):
        store.put(pieces())
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert store.block(Cid.parse(path.name))


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ContentError, match="to write the block"):
        DirectoryStore(folder=tmp_path / "file").put(b"x")


@pytest.fixture
def pinner() -> Iterator[Pinner]:
    """Serve a pinning service."""
    served = Pinner("secret-token")
    with serving(served, path="/v1"):
        yield served


def test_a_pin_is_requested_followed_and_removed(pinner: Pinner) -> None:
    service = PinningService(service=Service(url=pinner.url, token="secret-token"))
    target: PinningTarget = service
    cid = str(file_cid([b"model"]))
    asked = service.request(cid, name="round 7", origins=["/ip4/127.0.0.1/tcp/4001/p2p/12D3"])
    assert (asked.state, asked.cid, asked.name) == (PinState.QUEUED, cid, "round 7")
    assert target.status(asked.request_id) == asked
    for state in ("pinning", "pinned"):
        pinner.pins[asked.request_id]["status"] = state
        assert target.status(asked.request_id).state is PinState(state)
    assert [each.request_id for each in service.find(cid)] == [asked.request_id]
    target.remove(asked.request_id)
    assert service.find(cid) == ()
    with pytest.raises(ContentError, match=r"404 .*NOT_FOUND"):
        target.status(asked.request_id)


def test_a_pinning_service_wants_its_token(pinner: Pinner) -> None:
    service = PinningService(service=Service(url=pinner.url, token="another"))
    with pytest.raises(ContentError, match=r"401 .*UNAUTHORIZED") as caught:
        service.request(str(file_cid([b"model"])))
    assert "another" not in str(caught.value)
    assert pinner.refused == 1


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_pinning_service_that_babbles_is_an_error(pinner: Pinner, fault: str) -> None:
    service = PinningService(service=Service(url=pinner.url, token="secret-token"))
    pinner.fault = fault
    with pytest.raises(ContentError):
        service.request(str(file_cid([b"model"])))
    with pytest.raises(ContentError):
        service.status("x")
    with pytest.raises(ContentError):
        service.find(str(file_cid([b"model"])))


def test_a_pin_of_other_content_is_noticed(pinner: Pinner) -> None:
    service = PinningService(service=Service(url=pinner.url, token="secret-token"))
    asked = service.request(str(file_cid([b"model"])))
    pinner.pins["x"] = pinner.pins[asked.request_id]
    with pytest.raises(ContentError, match="the request x"):
        service.status("x")
    with pytest.raises(ConfigError, match="needs its id"):
        service.status("../pins")
    with pytest.raises(ConfigError, match="characters of name"):
        service.request(asked.cid, name="x" * 256)
