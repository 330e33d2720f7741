"""The report and metrics.jsonl: what they say, and that no name can do anything in them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from parity_flwr.app.report.baselines import Baseline, Baselines
from parity_flwr.app.report.build import read_run, write_report
from parity_flwr.app.report.html import build_report
from parity_flwr.app.report.page import RunData, exclusion_threshold, make_page
from parity_flwr.app.verification.checks import Line
from parity_flwr.app.verification.verify import Verification
from parity_flwr.core.records import EvaluationRecord, ReplyDecision, ReplyFacts, Verdict
from parity_flwr.errors import ConfigError, JournalError
from sample_runs import (
    sample_evaluations,
    sample_header,
    sample_round,
    sample_rounds,
    write_sample_run,
)

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>\x1b[2J\u202e{{7*7}}"


def sample_data(names: list[str] | None = None, *, count: int = 10) -> RunData:
    """Return a run as it would be read from its folder."""
    return RunData(
        run_id="sample",
        header=sample_header(num_rounds=count),
        rounds=sample_rounds(names, count=count),
        evaluations=sample_evaluations(count=count),
        status="completed",
    )


class _Tags(HTMLParser):
    """Collects what a browser would see of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parse(html: str) -> _Tags:
    parser = _Tags()
    parser.feed(html)
    return parser


class TestHtml:
    def test_it_says_what_the_run_was(self) -> None:
        baselines = Baselines(
            fedavg=Baseline(curve=((1, 0.3),), final=0.4), oracle=Baseline(final=0.9)
        )
        checks = Verification(
            (Line("hash chain", True, "21 entries"), Line("files", None, "-"))
        )
        data = replace(sample_data(), baselines=baselines, verification=checks)
        text = " ".join(parse(build_report(data)).text)
        for expected in (
            "87.7%",
            "40.0%",
            "90.0%",
            "9 of 10",
            "3 of 10",
            "hash chain",
            "21 entries",
            "site-9",
            "quarantined",
            "array 'conv0.weight' holds NaN",
            "1.41.0",
            "inprocess",
            "not checked",
            f"{10:064x}",
            "exclusion_threshold",
        ):
            assert expected in text, expected

    def test_a_hostile_name_stays_text(self) -> None:
        names = [f"site-{i}" for i in range(6)]
        for place in range(6):
            hostile = [*names[:place], HOSTILE, *names[place + 1 :]]
            page = parse(build_report(sample_data(hostile)))
            clean = parse(build_report(sample_data(names)))
            assert sorted(set(page.tags)) == sorted(set(clean.tags))
            assert not {"script", "img", "iframe", "link", "object", "embed"} & set(page.tags)
            assert not [name for name, _ in page.attributes if name.startswith("on")]

    def test_every_other_text_is_escaped_too(self) -> None:
        data = sample_data()
        header = replace(
            sample_header(),
            strategy=HOSTILE,
            inner=HOSTILE,
            environment={HOSTILE: HOSTILE},
            config={"a": HOSTILE},
            sketch_commitment=HOSTILE,
        )
        evaluations = [EvaluationRecord(round=1, source="server", metrics={HOSTILE: 1.0})]
        replies = (ReplyFacts(identity="a", verdict=Verdict.QUARANTINED, reason=HOSTILE),)
        record = sample_round(1, ["a"])
        rounds = [
            replace(
                record,
                facts=replace(record.facts, replies=replies),
                decision=replace(
                    record.decision, reason=HOSTILE, replies=(ReplyDecision(identity="a"),)
                ),
            )
        ]
        hostile = replace(
            data,
            run_id=HOSTILE,
            header=header,
            evaluations=evaluations,
            rounds=rounds,
            reason=HOSTILE,
            status=HOSTILE,
            verification=Verification((Line(HOSTILE, False, HOSTILE),)),
        )
        page = parse(build_report(hostile))
        assert not {"script", "img"} & set(page.tags)
        assert not [name for name, _ in page.attributes if name.startswith("on")]

    def test_names_bring_no_control_characters(self) -> None:
        html = build_report(sample_data([HOSTILE, *(f"n{i}" for i in range(5))]))
        assert "\x1b" not in html
        assert "\u202e" not in html

    def test_it_loads_nothing(self) -> None:
        html = build_report(sample_data())
        page = parse(html)
        assert not [v for name, v in page.attributes if name in {"src", "href", "style"}]
        assert "http://" not in html
        assert "https://" not in html
        assert "url(" not in html
        assert "@import" not in html

    def test_the_policy_allows_its_own_style_alone(self) -> None:
        html = build_report(sample_data())
        style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
        assert style is not None
        digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
        (policy,) = [
            value
            for name, value in parse(html).attributes
            if name == "content" and value and "default-src" in value
        ]
        assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")

    def test_verdicts_do_not_need_colour(self) -> None:
        html = build_report(sample_data())
        assert html.count('<td class="quarantined" title="round') == 10
        assert re.search(
            r'<td class="quarantined" title="round 1: quarantined[^"]*">Q</td>', html
        )

    def test_the_same_data_give_the_same_bytes(self) -> None:
        assert build_report(sample_data()) == build_report(sample_data())

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_short_runs_have_a_report(self, count: int) -> None:
        data = replace(sample_data(count=10), rounds=sample_rounds(count=count), evaluations=[])
        assert "The journal holds no evaluation" in build_report(data)

    def test_a_run_without_a_header_has_a_report(self) -> None:
        data = RunData(run_id="r", header=None, rounds=[], evaluations=[], status="running")
        assert "No round stands in the journal." in build_report(data)

    def test_a_thousand_clients_stay_readable(self) -> None:
        names = [f"n{i}" for i in range(1000)]
        html = build_report(sample_data(names, count=3))
        assert len(html) < 2_000_000
        assert "800 more clients" in html

    @pytest.mark.parametrize("value", [None, "200", True, {}, [1]])
    def test_an_odd_config_falls_back_to_the_default(self, value: object) -> None:
        config = {"reputation": {"exclusion_threshold": value}}
        assert exclusion_threshold(replace(sample_header(), config=config)) == 200.0
        assert exclusion_threshold(replace(sample_header(), config={"reputation": 3})) == 200.0
        config = {"reputation": {"exclusion_threshold": 250}}
        assert exclusion_threshold(replace(sample_header(), config=config)) == 250.0

    def test_the_tiles_without_baselines_are_ours_alone(self) -> None:
        labels = [tile.label for tile in make_page(sample_data()).tiles]
        assert labels == [
            "accuracy, this run",
            "rounds accepted",
            "clients excluded at the end",
        ]


class TestFromTheJournal:
    def test_report_and_metrics_are_written(self, tmp_path: Path) -> None:
        folder = write_sample_run(tmp_path, count=3)
        path = write_report(folder)
        assert path == folder.report
        assert path.read_text("utf-8") == build_report(read_run(folder))
        lines = [
            json.loads(x) for x in (folder.path / "metrics.jsonl").read_text().splitlines()
        ]
        assert [(line["type"], line["round"]) for line in lines] == [
            ("evaluation", 0),
            *((kind, number) for number in (1, 2, 3) for kind in ("round", "evaluation")),
        ]
        first = lines[1]["clients"][0]
        assert first["verdict"] == "quarantined"
        assert first["reputation"]["social"] == 500.0

    def test_metrics_are_strict_json(self, tmp_path: Path) -> None:
        from parity_flwr.app.report.metrics import metrics_lines

        record = replace(sample_round(1, ["a"]), metrics={"loss": float("nan")})
        evaluation = EvaluationRecord(round=1, source="server", metrics={"x": float("inf")})
        lines = [json.loads(line) for line in metrics_lines([record], [evaluation])]
        assert lines[0]["metrics"] == {"loss": None}
        assert lines[1]["metrics"] == {"x": None}

    def test_output_goes_where_it_is_asked(self, tmp_path: Path) -> None:
        folder = write_sample_run(tmp_path, count=1)
        output = tmp_path / "my report.html"
        assert write_report(folder, output=output) == output
        assert not folder.report.exists()

    def test_an_output_that_cannot_be_written_keeps_the_old_one(self, tmp_path: Path) -> None:
        folder = write_sample_run(tmp_path, count=1)
        (tmp_path / "file").write_text("old")
        with pytest.raises(ConfigError, match="name another file"):
            write_report(folder, output=tmp_path / "file" / "report.html")
        assert (tmp_path / "file").read_text() == "old"

    def test_a_corrupt_journal_is_an_error(self, tmp_path: Path) -> None:
        folder = write_sample_run(tmp_path, count=1)
        for extra in folder.path.glob("journal.sqlite-*"):
            extra.unlink()
        folder.database.write_bytes(b"not a database" * 1000)
        with pytest.raises(JournalError):
            write_report(folder)
