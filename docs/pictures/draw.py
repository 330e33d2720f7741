"""Draw README's pictures from a run: ``python docs/pictures/draw.py [RUN]``.

``live.svg`` is the table as `parity run` draws it in a terminal of 100 columns, after the last
round; ``report.png`` the top of the report, by chromium.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console

from parity_flwr.app.environment import Environment
from parity_flwr.app.journal import open_journal
from parity_flwr.app.report.build import write_report
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.live import LiveTable
from parity_flwr.core.economy.claims import RewardConfig

HERE = Path(__file__).parent
FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def draw_table(run: RunFolder) -> str:
    """Return the live table after the run's last round, as SVG without foreign fonts."""
    journal = open_journal(run)
    header, events = journal.header(), [*journal.rounds(), *journal.evaluations()[-1:]]
    screen = _screen()
    with LiveTable(screen, total_rounds=header.num_rounds if header else None) as table:
        table.pays(RewardConfig())
        for event in events:
            table(event)
        frame = table.render()
    screen = _screen()
    screen.print(frame)
    return FONT.sub("", screen.export_svg(title="parity demo"))


def _screen() -> Console:
    return Console(width=100, height=24, force_terminal=True, file=StringIO(), record=True)


def photograph(report: Path, picture: Path) -> None:
    """Write a picture of the report's first screen."""
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(
            [
                "chromium",
                "--headless",
                "--no-sandbox",
                f"--user-data-dir={home}",
                "--hide-scrollbars",
                "--window-size=1100,900",
                f"--screenshot={picture}",
                report.absolute().as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def main() -> None:
    """Draw both."""
    home = Environment.read().home
    run = RunFolder.find(sys.argv[1] if len(sys.argv) > 1 else "latest", home)
    (HERE / "live.svg").write_text(draw_table(run), encoding="utf-8")
    write_report(run)
    photograph(run.path / "report.html", HERE / "report.png")


if __name__ == "__main__":
    main()
