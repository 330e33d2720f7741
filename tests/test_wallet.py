"""Keys: where they may lie, where they may not be used, and that nobody sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account

from chain_cases import WALLET
from parity_flwr.chain_bridge.evm import CHAIN_ID, faucet_key
from parity_flwr.chain_bridge.wallet import Wallet, is_loopback, require_fit
from parity_flwr.chain_bridge.well_known import MNEMONIC_ACCOUNTS
from parity_flwr.errors import ConfigError

ANVIL = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
LOCAL = "http://127.0.0.1:8545"


def test_a_keystore_opens_with_its_password_only(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    WALLET.save(path, "correct horse")
    assert path.stat().st_mode & 0o777 == 0o600
    document = json.loads(path.read_text())
    assert document["crypto"]["kdf"] == "scrypt"
    assert document["crypto"]["kdfparams"]["n"] == 262_144
    assert WALLET.key.hex() not in path.read_text()
    assert Wallet.open(path, "correct horse") == WALLET
    with pytest.raises(ConfigError, match="one that does not open"):
        Wallet.open(path, "wrong")
    with pytest.raises(ConfigError, match="a new file"):
        WALLET.save(path, "again")
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="only its owner"):
        Wallet.open(path, "correct horse")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"crypto": 1}',
        b'{"crypto": {"kdfparams": {"n": 1073741824}}}',
        b'{"crypto": {"kdfparams": {}}}',
        b'{"version": 3, "crypto": {"kdf": "scrypt", "kdfparams": {"n": 2}}}',
        b"[" * 5000,
    ],
)
def test_what_is_no_keystore_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        Wallet.open(path, "x")
    assert "\n" not in str(caught.value)


def test_a_password_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a password"):
        WALLET.save(tmp_path / "key.json", "")


def test_hex_keys_are_read_with_and_without_prefix() -> None:
    digits = WALLET.key.hex()
    assert Wallet.from_hex(digits) == Wallet.from_hex(f" 0x{digits}\n") == WALLET


@pytest.mark.parametrize("text", ["", "0x", "zz" * 32, "00" * 32, "ff" * 32, "ab" * 31])
def test_a_bad_key_is_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Wallet.from_hex(text)
    assert len(text) < 8 or text not in str(caught.value)


def test_a_key_is_never_shown() -> None:
    wallet = Wallet.generate()
    assert wallet.key.hex() not in repr(wallet)
    assert repr(wallet.key) not in repr(wallet)
    assert Wallet.generate().address != wallet.address


def test_the_list_of_known_accounts_is_the_mnemonics() -> None:
    Account.enable_unaudited_hdwallet_features()
    words = " ".join(["test"] * 11 + ["junk"])
    for index in (0, 7, 19):
        account = Account.from_mnemonic(words, account_path=f"m/44'/60'/0'/0/{index}")
        assert account.address[2:].lower() in MNEMONIC_ACCOUNTS
    assert len(MNEMONIC_ACCOUNTS) == 20


@pytest.mark.parametrize("key", [ANVIL, f"{7:064x}", faucet_key().hex()])
def test_known_keys_stay_on_development_chains_here(key: str) -> None:
    wallet = Wallet.from_hex(key)
    assert wallet.well_known
    require_fit(wallet, chain_id=31337, url=LOCAL)
    require_fit(wallet, chain_id=CHAIN_ID, url=None)
    for chain_id, url in ((1, LOCAL), (31337, "http://10.0.0.7:8545"), (1, "https://x.org")):
        with pytest.raises(ConfigError, match="well-known test key") as caught:
            require_fit(wallet, chain_id=chain_id, url=url)
        assert key not in str(caught.value)


def test_a_key_of_ones_own_may_go_anywhere() -> None:
    require_fit(Wallet.generate(), chain_id=1, url="https://node.example.org")


@pytest.mark.parametrize(
    ("url", "here"),
    [
        (None, True),
        ("http://127.0.0.1:1", True),
        ("http://127.8.8.8", True),
        ("http://[::1]:8545", True),
        ("http://localhost:8545", True),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1@example.org", False),
        ("http://0.0.0.0", False),
        ("http://192.168.0.1", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine(url: str | None, here: bool) -> None:
    assert is_loopback(url) is here
