"""The commands that read a run, on a real journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.cli.main import execute
from sample_runs import write_sample_run

HOSTILE = "<script>\x1b[2J[red]"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Return a run in this test's PARITY_HOME."""
    names = [HOSTILE, *(f"site-{i}" for i in range(1, 7))]
    return write_sample_run(tmp_path / "parity-home", names=names, count=5)


def json_of(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return what is on stdout, which must be one JSON object on one line."""
    (line,) = capsys.readouterr().out.splitlines()
    assert line.isascii()
    return json.loads(line)


class TestRuns:
    def test_none_yet(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert execute(["runs"]) == 0
        assert capsys.readouterr().out == "no runs yet; start one with: parity demo\n"
        assert execute(["runs", "--json"]) == 0
        assert json_of(capsys) == {"runs": []}

    def test_a_run_and_its_figures(
        self, folder: RunFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute(["runs", "--json"]) == 0
        (run,) = json_of(capsys)["runs"]
        assert run["run_id"] == "sample"
        assert (run["rounds"], run["accepted_rounds"], run["status"]) == (5, 4, "completed")
        assert run["metric"]["name"] == "accuracy"
        assert run["excluded"] == [HOSTILE, "site-1", "site-2"]
        assert execute(["runs"]) == 0
        assert "sample" in capsys.readouterr().out

    def test_a_bad_run_does_not_hide_the_others(
        self, folder: RunFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bad = folder.path.parent / "bad"
        bad.mkdir()
        (bad / "journal.sqlite").write_bytes(b"x" * 5000)
        (folder.path.parent / "empty").mkdir()
        assert execute(["runs", "--json"]) == 0
        found = {run["run_id"]: run["status"] for run in json_of(capsys)["runs"]}
        assert found == {"sample": "completed", "bad": "unreadable", "empty": "no journal"}
        assert execute(["runs"]) == 0
        assert "unreadable" in capsys.readouterr().out


class TestReputation:
    def test_the_last_rounds_standings(
        self, folder: RunFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute(["reputation", "latest", "--json"]) == 0
        result = json_of(capsys)
        assert result["round"] == 5
        ranked = [each["composite"] for each in result["clients"]]
        assert ranked == sorted(ranked, reverse=True)
        standing = {each["identity"]: each["standing"] for each in result["clients"]}
        assert standing[HOSTILE] == "excluded"
        assert standing["site-6"] == "included"

    def test_people_see_no_escapes(
        self, folder: RunFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute(["reputation", "sam"]) == 0
        text = capsys.readouterr().out
        assert "<script>\ufffd[2J[red]" in text
        assert "\x1b" not in text

    def test_no_round_yet(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write_sample_run(tmp_path / "parity-home", count=0, finish="")
        assert execute(["reputation", "latest"]) == 0
        assert "no round" in capsys.readouterr().out


class TestReport:
    def test_it_says_where_it_is(
        self, folder: RunFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute(["report", "sample", "--json"]) == 0
        result = json_of(capsys)
        assert Path(result["report"]) == folder.report
        assert Path(result["metrics"]).is_file()
        assert "<script>" not in folder.report.read_text("utf-8")
        assert "Verification" in folder.report.read_text("utf-8")

    def test_a_path_and_an_output(
        self, folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        output = tmp_path / "out.html"
        assert execute(["report", str(folder.path), "--output", str(output)]) == 0
        assert output.is_file()
        assert str(output) in capsys.readouterr().out

    def test_an_output_that_cannot_be(
        self, folder: RunFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute(["report", "sample", "--output", "/proc/nowhere/x.html"]) == 2
        assert "name another file" in capsys.readouterr().err


class TestVerify:
    def test_a_journal_of_made_up_figures_does_not_hold(
        self, folder: RunFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute(["verify", "sample", "--json"]) == 1
        result = json_of(capsys)
        assert result["verify"] == "failed"
        lines = {line["name"]: line["ok"] for line in result["lines"]}
        assert lines["hash chain"] is True
        assert lines["decisions"] is False
        assert execute(["verify", "sample"]) == 1
        text = capsys.readouterr().out
        assert "FAIL  decisions" in text
        assert "sample: does not hold" in text


class TestBan:
    @pytest.mark.parametrize("kind", ["ban", "unban"])
    def test_it_is_journalled_with_its_reason(
        self, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = write_sample_run(tmp_path / "parity-home", count=2, finish="")
        assert execute([kind, "site-3", "--reason", " it lies ", "--json"]) == 0
        assert json_of(capsys)["reason"] == "it lies"
        (action,) = open_journal(folder).actions()
        assert (action.kind, action.identity, action.reason) == (kind, "site-3", "it lies")

    def test_a_running_run_learns_it_before_its_next_round(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_sample_run(tmp_path / "parity-home", count=2, finish="")
        assert execute(["ban", "site-3", "--reason", "x"]) == 0
        assert "before the next round" in capsys.readouterr().out

    def test_a_run_that_is_over_says_so(
        self, folder: RunFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute(["ban", HOSTILE, "--reason", "x"]) == 0
        text = capsys.readouterr().out
        assert "that run is over" in text
        assert "\x1b" not in text

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
    def test_a_reason_is_a_sentence(
        self, folder: RunFolder, reason: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute(["ban", "site-3", "--reason", reason]) == 2
        assert "--reason" in capsys.readouterr().err
        assert open_journal(folder).actions() == ()

    def test_a_stranger_needs_force(
        self, folder: RunFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute(["ban", "sit-3", "--reason", "a typo"]) == 2
        assert "parity reputation sample" in capsys.readouterr().err
        assert execute(["ban", "sit-3", "--reason", "to come", "--force"]) == 0


class TestDoctor:
    def test_every_line_says_how_it_is(self, capsys: pytest.CaptureFixture[str]) -> None:
        code = execute(["doctor", "--json"])
        result = json_of(capsys)
        assert (code == 0) is result["ok"]
        assert {check["status"] for check in result["checks"]} <= {"ok", "warn", "fail"}

    def test_a_home_that_cannot_be_is_1(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("PARITY_HOME", str(tmp_path / "file"))
        assert execute(["doctor"]) == 1
        assert "fail  PARITY_HOME" in capsys.readouterr().out
