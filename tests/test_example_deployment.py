"""The example `deployment`: its certificates, and the script from beginning to end."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from parity_flwr.app.engines.importing import importing_from
from process_tree import marked, needs_proc, wait_until

pytestmark = pytest.mark.repository


@pytest.fixture
def certificates(repository: Path) -> Iterator[Any]:
    with importing_from(repository / "examples" / "deployment", {"parity_deployment"}):
        yield importlib.import_module("parity_deployment.certificates")


def test_the_server_s_certificate_is_the_authority_s(certificates: Any, tmp_path: Path) -> None:
    certificates.make_certificates(tmp_path)
    authority, server = (
        x509.load_pem_x509_certificate((tmp_path / name).read_bytes())
        for name in ("ca.crt", "server.crt")
    )
    server.verify_directly_issued_by(authority)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert not (tmp_path / "ca.key").exists()
    assert stat.S_IMODE((tmp_path / "server.key").stat().st_mode) == 0o600


def test_a_node_s_key_is_what_flower_reads(certificates: Any, tmp_path: Path) -> None:
    pem = certificates.make_node_key(tmp_path / "north")
    assert stat.S_IMODE((tmp_path / "north").stat().st_mode) == 0o600
    private = serialization.load_ssh_private_key((tmp_path / "north").read_bytes(), None)
    public = serialization.load_ssh_public_key((tmp_path / "north.pub").read_bytes())
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.public_key() == public == serialization.load_pem_public_key(pem.encode())
    with pytest.raises(FileExistsError):
        certificates.make_node_key(tmp_path / "north")


@pytest.mark.slow
@needs_proc
def test_the_whole_script_holds(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    folder, picture = tmp_path / "federation", tmp_path / "timeline.png"
    done = subprocess.run(
        [
            sys.executable, str(repository / "examples" / "deployment" / "run.py"),
            "--keep", str(folder), "--picture", str(picture),
        ],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r" s   ok   ", done.stdout)) == 12
    assert "FAIL" not in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert marked(str(folder)) == {}
    journals = list((folder / "parity" / "runs").glob("*/journal.sqlite"))
    assert len(journals) == 2


def test_identities_are_fingerprints_of_the_registered_keys(
    repository: Path, tmp_path: Path
) -> None:
    with importing_from(repository / "examples" / "deployment", {"parity_deployment"}):
        module = importlib.import_module("parity_deployment.federation")
        federation = module.Federation(tmp_path, ("north", "south"))
    public = serialization.load_ssh_public_key((tmp_path / "north.pub").read_bytes())
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashlib.sha256(pem.strip()).hexdigest()[:16]
    assert federation.identities["north"] == f"key:{digest}"
    assert len(set(federation.identities.values())) == 2


@pytest.mark.slow
@needs_proc
def test_nothing_outlives_a_script_that_is_killed(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "federation"
    script = str(repository / "examples" / "deployment" / "run.py")
    with subprocess.Popen(
        [sys.executable, script, "--keep", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    ) as process:
        assert process.stdout is not None
        assert "SuperLink up" in process.stdout.readline()
        assert any("flower-superlink" in each for each in marked(str(folder)).values())
        process.kill()
    wait_until(lambda: marked(str(folder)) == {})
