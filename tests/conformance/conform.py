"""Runs the Autobahn suite in three ways and says what came of it. Called by run.sh, which sets it up."""

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import websockets

import summary
import ways

HERE = Path(__file__).resolve().parent
# Limits and speed: long, and more about the machine.
LONG = ["9.*"]
# Of compression, the smaller messages only: the suite takes seconds for each of the others.
COMPRESSED = [f"{group}.{sub}.{case}" for group, subs in ((12, 5), (13, 7))
              for sub in range(1, subs + 1) for case in range(5, 19)]
WAYS = [("our server", ways.embedded), ("a server behind us", ways.relayed),
        ("the suite's server behind us", ways.client_leg)]


def arguments():
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__)
    parser.add_argument("--check", action="store_true",
                        help="write nothing; fail if something is worse than the summary that is kept")
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--all", action="store_true", help="also 9.*: limits and speed")
    scope.add_argument("--quick", action="store_true",
                       help="of compression only small messages; needs --check")
    parser.add_argument("--wstest", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--wastegate", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--reports", required=True, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.quick and not given.check:
        parser.error("--quick is not enough for a summary: add --check")
    return given


def last_word(*command):
    """Of what a program says of its version."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def main():
    given = arguments()
    # As an exception, so that what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    excluded = [] if given.all else LONG
    scope = "all" if given.all else "all but 9.*"
    if given.quick:
        excluded = LONG + COMPRESSED
    bench = ways.Bench(given.wstest, given.wastegate, given.reports, ["*"], excluded)
    results = {}
    for name, way in WAYS:
        began = time.monotonic()
        print(name, flush=True)
        results.update(way(bench))
        print(f"  {time.monotonic() - began:.0f} s", flush=True)
    versions = {
        "wastegate": last_word(given.wastegate, "--version"),
        "autobahntestsuite": last_word(given.wstest, "--autobahnversion"),
        "websockets": websockets.__version__,
    }
    made = summary.summarize(results, versions, scope)
    kept = HERE / "summary.json"
    problems = [f"not the same: {difference}" for difference in made["differences"]]
    if given.check:
        problems += [f"worse: {line}" for line in summary.worse(results, json.loads(kept.read_text()))]
    else:
        kept.write_text(json.dumps(made, indent=1) + "\n")
        (HERE / "summary.md").write_text(summary.as_text(made))
    for agent, way in made["ways"].items():
        print(f"{agent}: {way['cases']} cases, {way['behavior']}, closed {way['close']}")
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)


main()
