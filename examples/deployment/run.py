"""Deploy an app with TLS and node authentication, and kill a node and the server.

Run ``python examples/deployment/run.py``. Everything listens on the loopback address, lies in
one folder, and is gone at the end; the exit code is 1 if something did not hold.
"""

import argparse
import tempfile
from pathlib import Path

from parity_deployment.federation import running
from parity_deployment.scenario import Report, Scenario

APP = Path(__file__).resolve().parent.parent / "quickstart"
NAMES = ("north", "south", "west")


def main() -> int:
    """Play the scenario and return how many of its checks failed, 1 at most."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--app", type=Path, default=APP, help="the Flower app to deploy")
    parser.add_argument("--keep", type=Path, help="a new folder, kept, for logs and journals")
    parser.add_argument("--picture", type=Path, help="draw the run's timeline to this PNG")
    options = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="parity-") as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        with running(folder.resolve(), NAMES) as federation:
            scenario = Scenario(federation, options.app.resolve(), report)
            scenario.play()
            if options.picture:
                from parity_deployment.picture import draw

                draw(scenario, report, options.picture)
    print(f"\n{report.failed} of {len(report.lines)} lines failed")
    return min(1, report.failed)


if __name__ == "__main__":
    raise SystemExit(main())
