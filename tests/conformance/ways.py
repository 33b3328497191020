"""The three ways in which the suite meets us, each as results by agent and case."""

import json
import subprocess
import sys
from pathlib import Path

import client
from processes import Program, free_port, gateway, url_of, wait_for_port

HERE = Path(__file__).resolve().parent
CONFIG = HERE / "wastegate.toml"
BACKEND = HERE.parent / "python" / "echo_backend.py"


class Bench:
    """What all ways share: the programs, where reports go, which cases are run."""

    def __init__(self, wstest, wastegate, reports, cases, excluded):
        self.wstest, self.wastegate, self.reports = wstest, wastegate, Path(reports)
        self.cases, self.excluded = cases, excluded
        self.reports.mkdir(parents=True, exist_ok=True)

    def log(self, name):
        return self.reports / f"{name}.log"

    def gateway(self, name, upstream=None):
        return gateway(self.wastegate, CONFIG, self.log(name), upstream)

    def suite(self, mode, name, **more):
        """The suite as a command, told by a file what to do."""
        folder = self.reports / name
        # What is left of an earlier run must not be taken for this one's.
        (folder / "index.json").unlink(missing_ok=True)
        spec = {"outdir": str(folder), "cases": self.cases, "exclude-cases": self.excluded,
                "exclude-agent-cases": {}, **more}
        path = self.reports / f"{name}.json"
        path.write_text(json.dumps(spec))
        return [self.wstest, "-m", mode, "-s", str(path)]

    def results(self, name):
        """Agent, then case, then what it did and how it closed."""
        index = json.loads((self.reports / name / "index.json").read_text())
        return {agent: {case: [result["behavior"], result["behaviorClose"]]
                        for case, result in cases.items()}
                for agent, cases in index.items()}

    def fuzz_servers(self, name, servers):
        """The suite as a client of each of these servers."""
        listed = [{"agent": agent, "url": url} for agent, url in servers.items()]
        command = self.suite("fuzzingclient", name, servers=listed)
        with open(self.log(name), "wb") as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if done.returncode != 0:
            raise SystemExit(f"error: the suite ended with {done.returncode}; see {self.log(name)}")
        return self.results(name)


def embedded(bench):
    """Our own server, which echoes."""
    with bench.gateway("embedded-server") as server:
        return bench.fuzz_servers("embedded", {"embedded": url_of(server)})


def relayed(bench):
    """A server of somebody else, directly and behind us."""
    with Program(sys.executable, BACKEND, log=bench.log("backend")) as backend:
        direct = f"ws://{backend.line()}"
        with bench.gateway("relay", direct) as relay:
            return bench.fuzz_servers(
                "relayed", {"backend-direct": direct, "backend-through": url_of(relay)})


def client_leg(bench):
    """The suite as the server behind us, and a client that comes directly and through us."""
    port = free_port()
    server = f"ws://127.0.0.1:{port}"
    command = bench.suite("fuzzingserver", "client-leg", url=server)
    # It says much more than a pipe holds.
    log = bench.log("client-leg")
    with open(log, "wb") as output:
        suite = subprocess.Popen(command + ["-u", "0"], stdin=subprocess.DEVNULL,
                                 stdout=output, stderr=output)
    try:
        wait_for_port(port, suite)
        with bench.gateway("relay-to-suite", f"{server}/runCase") as relay:
            agents = {"client-direct": f"{server}/runCase?",
                      "client-through": f"{url_of(relay)}&"}
            failures = client.run_every_case(server, agents, progress)
    finally:
        suite.terminate()
        suite.wait()
    for failure in failures:
        print(f"  no connection: {failure}", flush=True)
    return bench.results("client-leg")


def progress(line):
    print(f"  {line}", flush=True)
