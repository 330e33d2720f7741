"""The long drills of runs on a chain: ``make drill``, or ``python tests/drill_runs.py``.

kills and outage, each printed with its figures as one JSON object a line. Both need anvil
(npm install --no-save @foundry-rs/anvil@1.7.1).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from anvil_node import FUNDED, Anvil, find_anvil
from apps_made import make_app
from faulty_proxy import FaultyProxy
from parity_flwr.app.chains.evidence import gather
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.chain_bridge.calls import decode_event
from parity_flwr.chain_bridge.contracts import artifact

Figures = dict[str, object]
ROUNDS = 40
KILLS = 20
OUTAGE_S = 60.0


def drill_kills(folder: Path) -> Figures:
    """Kill a run that publishes, at 20 moments, and let it go on."""
    once = 0
    for number in range(KILLS):
        with Anvil(_program()) as anvil:
            place = Place(folder / str(number), anvil.url)
            process = place.start("run", str(place.app), *place.options)
            threading.Event().wait(1.5 + 0.15 * number)
            process.kill()
            process.wait()
            place.go_on()
            once += place.recorded(anvil) == list(range(1, ROUNDS + 1))
    return {"kills": KILLS, "rounds": ROUNDS, "every_round_once": once}


def drill_outage(folder: Path) -> Figures:
    """Let the node be away for a minute, from before the first round on."""
    with Anvil(_program()) as anvil, FaultyProxy(anvil.url, share=0.0, seed=0) as proxy:
        place = Place(folder, anvil.url)
        alone = place.timed("run", str(place.app), *place.options[:-2])
        place.url = proxy.url
        back = threading.Timer(OUTAGE_S, lambda: setattr(proxy, "down", False))
        began = time.monotonic()
        process = place.start("run", str(place.app), *place.options)
        while len(all_runs(place.home)) < 2:
            threading.Event().wait(0.01)
        proxy.down = True
        back.start()
        while open_status(all_runs(place.home)[-1]) != "completed":
            threading.Event().wait(0.05)
        trained = time.monotonic() - began
        process.wait()
        place.check("chain", "drain", "latest", "--chain", proxy.url)
        found = place.recorded(anvil)
    return {
        "outage_s": OUTAGE_S,
        "rounds": ROUNDS,
        "recorded_in_order": found == list(range(1, ROUNDS + 1)),
        "seconds_without_chain": round(alone, 2),
        "seconds_with_node_away": round(trained, 2),
        "delay_a_round_s": round((trained - alone) / ROUNDS, 3),
    }


class Place:
    """A home, an app, and the command line in processes of their own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.home = folder / "home"
        self.url = url
        self.app = make_app(folder / "app")
        self._environment = {
            **os.environ,
            "PARITY_HOME": str(self.home),
            "PARITY_CHAIN_KEY": FUNDED,
        }
        self.check("chain", "deploy", "--chain", url)

    @property
    def options(self) -> list[str]:
        """Options of a run; the last two name the chain."""
        start = ["--engine", "inprocess", "--clients", "4", "--quiet"]
        return [*start, "--run-config", f"rounds={ROUNDS}", "--chain", self.url]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "parity_flwr.cli.main", *arguments],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def check(self, *arguments: str) -> None:
        """Run a command that has to work."""
        code = self.start(*arguments).wait()
        if code:
            raise SystemExit(f"parity {' '.join(arguments)}: exit code {code}")

    def timed(self, *arguments: str) -> float:
        """Run a command that has to work; return the seconds that it took."""
        began = time.monotonic()
        self.check(*arguments)
        return time.monotonic() - began

    def go_on(self) -> None:
        """Continue what was killed, however far it was, then verify it."""
        runs = all_runs(self.home)
        status = open_status(runs[-1]) if runs else ""
        if status == "completed":
            self.check("chain", "drain", "latest", "--chain", self.url)
        else:
            more = ["--resume", "latest"] if status else []
            self.check("run", str(self.app), *self.options, *more)
        self.check("verify", "latest", "--chain", self.url)

    def recorded(self, anvil: Anvil) -> list[int]:
        """Return the rounds that the ledger holds, in order."""
        made = ChainPlaces(self.home).load(31337)
        if made is None:
            return []
        built = artifact("RoundLedger")
        logs = gather(anvil.chain(), made)
        events = [decode_event(built, "RoundRecorded", log) for log in logs]
        return [event["round"] for event in events if event is not None]


def open_status(run: RunFolder) -> str:
    """Return a run's status, empty before its journal has begun."""
    from parity_flwr.errors import JournalError

    try:
        return open_journal(run).status().status
    except JournalError:
        return ""


def _program() -> Path:
    found = find_anvil()
    if found is None:
        raise SystemExit("needs anvil: npm install --no-save @foundry-rs/anvil@1.7.1")
    return found


DRILLS: dict[str, Callable[[Path], Figures]] = {"kills": drill_kills, "outage": drill_outage}


def main(names: list[str]) -> None:
    """Run the drills with these names, all without any."""
    for name in names or list(DRILLS):
        with tempfile.TemporaryDirectory(prefix="parity-drill-") as folder:
            began = time.monotonic()
            figures = DRILLS[name](Path(folder))
        seconds = round(time.monotonic() - began, 1)
        print(json.dumps({"drill": name, "seconds": seconds, **figures}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
