"""The embedded chain's state on the disk, and threads that share it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from chain_cases import ETHER, INITCODE, PAYEE, WALLET, word
from parity_flwr.chain_bridge.chain import Call
from parity_flwr.chain_bridge.embedded import STATE_FILE, EmbeddedChain
from parity_flwr.chain_bridge.state_log import MAGIC, StateLog
from parity_flwr.core.anchoring import ChainLog, Intent
from parity_flwr.errors import ChainError


def send(chain: EmbeddedChain, intent: Intent) -> bytes:
    nonce = chain.nonce(WALLET.address)
    attempt = WALLET.sign(
        intent, chain_id=chain.chain_id, nonce=nonce, gas=200_000, fees=chain.fees(), height=0
    )
    return chain.send_raw(attempt.raw)


def populated(folder: Path) -> tuple[str, tuple[ChainLog, ...]]:
    """Deploy a contract and let it log three times; return its address and its logs."""
    with EmbeddedChain(folder) as chain:
        chain.fund(WALLET.address, ETHER)
        receipt = chain.receipt(send(chain, Intent(key="", to=None, data=INITCODE)))
        assert receipt is not None
        where = receipt.created or ""
        for number in range(1, 4):
            send(chain, Intent(key="", to=where, data=word(number)))
        return where, chain.logs([where], first=0, last=10)


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    where, logs = populated(tmp_path)
    assert [log.data for log in logs] == [word(1), word(2), word(3)]
    with EmbeddedChain(tmp_path) as chain:
        assert chain.logs([where], first=0, last=10) == logs
        assert chain.receipt(logs[0].tx_hash) is not None
        assert chain.call(Call(to=where, data=word(1))) == b""
        assert chain.nonce(WALLET.address) == 4
        head = chain.block("latest")
        send(chain, Intent(key="", to=where, data=word(4)))
        after = chain.block("latest")
        assert head is not None
        assert after is not None
        assert after.parent_hash == head.hash
        assert len(chain.logs([where], first=0, last=10)) == 4


def test_the_file_is_private(tmp_path: Path) -> None:
    populated(tmp_path / "deep")
    assert (tmp_path / "deep" / STATE_FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700


def test_a_cut_off_end_never_happened(tmp_path: Path) -> None:
    where, logs = populated(tmp_path)
    file = tmp_path / STATE_FILE
    whole = file.read_bytes()
    for cut in (1, 40, 300):
        file.write_bytes(whole[:-cut])
        with EmbeddedChain(tmp_path) as chain:
            assert chain.logs([where], first=0, last=10) == logs[:2]
            send(chain, Intent(key="", to=where, data=word(8)))
            assert len(chain.logs([where], first=0, last=10)) == 3


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    populated(tmp_path)
    file = tmp_path / STATE_FILE
    whole = bytearray(file.read_bytes())
    first = len(MAGIC)
    for at in (0, first + 4, first + 40, len(whole) // 2, len(whole) - 1):
        whole[at] ^= 1
        file.write_bytes(whole)
        with pytest.raises(ChainError, match="as it was written"):
            EmbeddedChain(tmp_path)
        whole[at] ^= 1
    file.write_bytes(whole)
    EmbeddedChain(tmp_path).close()


def test_segments_replay_in_order(tmp_path: Path) -> None:
    log = StateLog(tmp_path / "log")
    log.append({b"a": b"1", b"b": b""})
    log.append({b"a": b"2", b"b": None, b"": b"x"})
    log.close()
    again = StateLog(tmp_path / "log")
    assert again.values == {b"a": b"2", b"": b"x"}
    again.close()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        EmbeddedChain(tmp_path),
        pytest.raises(ChainError, match="another process that has it open"),
    ):
        EmbeddedChain(tmp_path)
    EmbeddedChain(tmp_path).close()


def test_threads_share_it() -> None:
    with EmbeddedChain() as chain:
        paid: list[bytes] = []

        def pay() -> None:
            paid.extend(chain.fund(PAYEE, 1) for _ in range(8))

        threads = [threading.Thread(target=pay) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(paid)) == 32
        assert all(chain.receipt(each) is not None for each in paid)
        assert chain.balance(PAYEE) == 32


def test_time_never_goes_back() -> None:
    times = iter([1000, 1000, 500, 500, 500])
    with EmbeddedChain(clock=lambda: next(times, 500)) as chain:
        stamps = []
        for _ in range(3):
            chain.fund(PAYEE, 1)
            head = chain.block("latest")
            assert head is not None
            stamps.append(head.timestamp)
        assert stamps == [1001, 1002, 1003]


def test_receipts_do_not_get_slower() -> None:
    with EmbeddedChain() as chain:
        first = chain.fund(PAYEE, 1)
        early = _seconds(chain, first)
        for _ in range(100):
            chain.fund(PAYEE, 1)
        assert _seconds(chain, first) < 10 * early


def _seconds(chain: EmbeddedChain, tx_hash: bytes) -> float:
    began = time.perf_counter()
    for _ in range(20):
        assert chain.receipt(tx_hash) is not None
    return time.perf_counter() - began
