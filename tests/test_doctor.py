"""The doctor: each check both ways."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from parity_flwr.app.doctor.examine import examine
from parity_flwr.app.doctor.findings import Health
from parity_flwr.app.doctor.machine import (
    check_clock,
    check_disk,
    check_flower_port,
    check_home,
    check_loopback,
)
from parity_flwr.app.doctor.packages import check_extras, check_packages, check_python
from parity_flwr.app.doctor.ray import check_ray
from parity_flwr.app.environment import Environment
from parity_flwr.app.installation import (
    CAPPED,
    capped_packages,
    examine_requirement,
    installed_version,
    parse,
)


class TestInstallation:
    def test_flowers_caps_are_read_from_its_metadata(self) -> None:
        found = {each.name: each for each in capped_packages()}
        assert set(found) == set(CAPPED)
        assert "<15" in found["rich"].needed
        assert "<9" in found["click"].needed
        assert found["rich"].installed == installed_version("rich")

    @pytest.mark.parametrize(
        ("line", "fits"),
        [("rich>=1", True), ("rich<1", False), ("no-such-package-here", False)],
    )
    def test_a_requirement_is_compared(self, line: str, fits: bool) -> None:
        assert examine_requirement(Requirement(line)).fits is fits

    def test_only_what_counts_here_is_parsed(self) -> None:
        lines = [
            "a>=1",
            "b; python_version < '3'",
            "c; extra == 'sim'",
            "d; extra == 'other'",
            "not a requirement!",
        ]
        assert [each.name for each in parse(lines)] == ["a"]
        assert [each.name for each in parse(lines, extra="sim")] == ["c"]


class TestChecks:
    def test_python(self) -> None:
        assert check_python((3, 11, 0)).health is Health.OK
        assert check_python((3, 10, 9)).health is Health.FAIL

    def test_packages_name_what_is_needed(self) -> None:
        checks = {check.name: check for check in check_packages()}
        assert ">=1.41" in checks["flwr"].detail
        assert {"rich", "click", "sqlalchemy"} <= set(checks)
        assert all(check.action or check.health is Health.OK for check in checks.values())

    def test_extras_are_whole_or_absent(self) -> None:
        for check in check_extras():
            assert check.health is not Health.FAIL
            assert check.detail.startswith(("installed", "not installed", "incomplete: "))

    def test_home_is_made(self, tmp_path: Path) -> None:
        assert check_home(tmp_path / "new" / "home").health is Health.OK
        assert list((tmp_path / "new" / "home").iterdir()) == []

    def test_home_that_is_a_file_fails(self, tmp_path: Path) -> None:
        (tmp_path / "home").write_text("")
        check = check_home(tmp_path / "home")
        assert check.health is Health.FAIL
        assert "PARITY_HOME" in check.action

    @pytest.mark.parametrize(
        ("free", "health"),
        [(100 << 20, Health.FAIL), (1 << 30, Health.WARN), (50 << 30, Health.OK)],
    )
    def test_disk(self, tmp_path: Path, free: int, health: Health) -> None:
        check = check_disk(tmp_path / "not" / "there", free=free)
        assert check.health is health
        assert bool(check.action) is (health is not Health.OK)

    def test_loopback(self) -> None:
        assert check_loopback().health is Health.OK

    def test_flowers_port(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            assert check_flower_port(port).health is Health.OK
            listener.listen()
            assert check_flower_port(port).health is Health.WARN

    def test_ray_alone_never_fails(self) -> None:
        assert all(check.health is not Health.FAIL for check in check_ray(variables={}))

    @pytest.mark.parametrize(
        ("wall", "health"),
        [
            ([1.8e9, 1.8e9 + 0.1, 1.8e9 + 0.1], Health.OK),
            ([1.8e9, 1.8e9 + 5.1, 1.8e9 + 5.1], Health.WARN),
            ([0.0, 0.1, 0.1], Health.FAIL),
            ([9e9, 9e9 + 0.1, 9e9 + 0.1], Health.FAIL),
        ],
    )
    def test_clock(self, wall: list[float], health: Health) -> None:
        walls, steady = iter(wall), iter([10.0, 10.1])
        check = check_clock(
            wall=lambda: next(walls), monotonic=lambda: next(steady), wait=lambda _: None
        )
        assert check.health is health
        assert bool(check.action) is (health is not Health.OK)


def test_a_diagnosis_fails_with_any_check(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    diagnosis = examine(Environment(home=tmp_path / "home"))
    assert not diagnosis.ok
    assert [check.name for check in diagnosis.checks if check.health is Health.FAIL].count(
        "PARITY_HOME"
    )
