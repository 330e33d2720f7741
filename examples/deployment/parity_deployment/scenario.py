"""What happens to the federation, and what must hold."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from parity_deployment.federation import Federation
from parity_deployment.submitting import (
    journal,
    parity,
    rounds,
    run_command,
    run_id_of,
    submitted,
)
from parity_flwr.core.records import RoundRecord, Verdict

ROUNDS = 4
CONFIG = "min-nodes=3 fraction-evaluate=0.0 local-epochs=1 round-timeout=120.0"
UNREGISTERED = "305"  # Flower's exit code for a SuperNode whose key nobody registered


@dataclass
class Report:
    """What happened when, and whether it held."""

    began: float = field(default_factory=time.monotonic)
    lines: list[tuple[float, str, bool | None]] = field(default_factory=list)

    def note(self, text: str, held: bool | None = None) -> None:
        """Print and keep a line; ``held`` is None for what is done and not checked."""
        at = self.elapsed
        mark = {None: "    ", True: " ok ", False: "FAIL"}[held]
        print(f"{at:6.1f} s  {mark}  {text}", flush=True)
        self.lines.append((at, text, held))

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    @property
    def failed(self) -> int:
        """How many checks did not hold."""
        return sum(held is False for _, _, held in self.lines)


class Scenario:
    """A run that loses a node and then its server, and another that carries its reputation.

    Parameters
    ----------
    federation : Federation
        Not started yet.
    app : Path
        The Flower app to deploy.
    report : Report
        Gets a line for everything.
    """

    def __init__(self, federation: Federation, app: Path, report: Report) -> None:
        self.federation = federation
        self.app = app
        self.report = report
        self.run_id = ""
        self.names = {key: name for name, key in federation.identities.items()}

    def play(self) -> None:
        """Play all of it."""
        self.start()
        self.lose_node_and_server()
        self.resume()
        self.carry()

    def start(self) -> None:
        """Start everything; a node with a key that nobody registered stays outside."""
        self.federation.start()
        self.report.note(f"SuperLink up with TLS on {self.federation.address}")
        for node in self.federation.nodes.values():
            node.start()
        self.federation.stranger.start()
        everybody = set(self.federation.nodes)
        self.federation.wait(lambda: self.federation.online() == everybody, "three nodes")
        self.report.note("three SuperNodes with registered keys are online", held=True)
        stranger = self.federation.stranger
        self.federation.wait(lambda: not stranger.running, "the stranger's end")
        refused = UNREGISTERED in stranger.log.read_text(errors="replace")
        self.report.note("a SuperNode with an unregistered key is refused", held=refused)

    def lose_node_and_server(self) -> None:
        """Kill a node in mid-run, bring it back; then kill the server in mid-run."""
        config = f"num-server-rounds={ROUNDS} {CONFIG}"
        command = run_command(self.federation, self.app, config)
        log = self.federation.folder / "first.log"
        with submitted(self.federation, command, log) as process:
            self.federation.wait(lambda: self._learn_id(), "the run's journal")
            self.report.note(f"parity run submitted {self.app.name}, journal {self.run_id}")
            self._wait_for_round(1)
            self._lose_node()
            self.federation.superlink.kill()
            done = len(self._rounds())
            self.report.note(f"kill -9 of the SuperLink and its ServerApp, after round {done}")
            self.federation.wait(lambda: process.poll() is not None, "parity run's end")
            said = log.read_text(errors="replace").strip().splitlines()[-1]
            self.report.note(f"parity run ended: {said[:100]}", held=process.poll() != 0)

    def resume(self) -> None:
        """Start the server again, continue the run and let it complete."""
        before = self._rounds()
        self.federation.start_superlink()
        self.report.note("SuperLink restarted with its database; the nodes were left alone")
        config = f"num-server-rounds={ROUNDS} {CONFIG}"
        command = run_command(self.federation, self.app, config, "--resume", self.run_id)
        status = self._finish(command, "resumed.log")
        self.report.note("parity run --resume completed the run", held=status == 0)
        after = self._rounds()
        heard = [len(self._heard(one)) for one in after[len(before) :]]
        up = all(node.running for node in self.federation.nodes.values())
        self.report.note(
            f"the nodes came back by themselves: {heard} replies of 3",
            held=up and all(number == 3 for number in heard),
        )
        kept = after[: len(before)] == before and len(after) == ROUNDS
        self.report.note(f"{ROUNDS} rounds, the first {len(before)} as they were", held=kept)
        verified = self._finish(parity("verify", self.run_id), "verify.log")
        self.report.note("parity verify recomputed the run", held=verified == 0)

    def carry(self) -> None:
        """Start a new run through plain ``flwr run``, with the reputation of the first."""
        known = {self.run_id}
        config = f"num-server-rounds=1 {CONFIG} parity-reputation-from='{self.run_id}'"
        self.federation.flower(
            "run", str(self.app), "parity", "--stream", "--run-config", config
        )
        new = run_id_of(self.federation, known)
        done = rounds(self.federation, new)
        self.report.note("flwr run did a second run", held=len(done) == 1)
        if new is None or not done:
            return
        header = journal(self.federation, new).header()
        last = self._rounds()[-1].state
        carried = header is not None and header.initial_state.standings == last.standings
        self.report.note("it began with the reputation of the first", held=carried)
        same = set(done[0].state.standings) == set(self.names)
        self.report.note("identities are the fingerprints of the three keys", held=same)

    def _lose_node(self) -> None:
        victim = list(self.federation.nodes)[-1]
        node = self.federation.nodes[victim]
        count = len(self._rounds())
        node.kill()
        self.report.note(f"kill -9 of SuperNode {victim}, after round {count}")
        self._wait_for_round(count + 1)
        missed = self._rounds()[count]
        heard = self._heard(missed)
        self.report.note(
            f"round {missed.round} went on with {len(heard)} of 3 replies",
            held=victim not in heard and len(heard) == 2,
        )
        before = missed.state.standings[self.federation.identities[victim]]
        self.federation.bring_back(victim)
        self.federation.wait(
            lambda: any(victim in self._heard(one) for one in self._rounds()[count + 1 :]),
            f"{victim}'s return",
        )
        back = next(one for one in self._rounds()[count + 1 :] if victim in self._heard(one))
        now = back.state.standings[self.federation.identities[victim]]
        self.report.note(
            f"{victim} is back in round {back.round} under its key: reputation "
            f"{before.composite:.0f}, then {now.composite:.0f}",
            held=set(back.state.standings) == set(self.names),
        )

    def _heard(self, record: RoundRecord) -> set[str]:
        """Return the names of the nodes whose replies were accepted."""
        return {
            self.names.get(reply.identity, reply.identity)
            for reply in record.facts.replies
            if reply.verdict is Verdict.ACCEPTED
        }

    def _learn_id(self) -> bool:
        self.run_id = run_id_of(self.federation, set()) or ""
        return bool(self.run_id)

    def _rounds(self) -> list[RoundRecord]:
        return rounds(self.federation, self.run_id)

    def _wait_for_round(self, number: int) -> None:
        self.federation.wait(lambda: len(self._rounds()) >= number, f"round {number}")

    def _finish(self, command: list[str], log: str) -> int | None:
        with submitted(self.federation, command, self.federation.folder / log) as process:
            self.federation.wait(lambda: process.poll() is not None, " ".join(command[2:4]))
            return process.poll()
