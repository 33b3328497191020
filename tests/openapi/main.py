"""Runs the three: the document is valid, a tour conforms to it, and so does what schemathesis makes up."""

import argparse
import json
import os
import pathlib
import secrets
import subprocess
import sys
import time

from contract import Contract
from server import TOKEN, Server
from tour import Tour, gather

HERE = pathlib.Path(__file__).parent
# The requests that CI makes.
SEED = 20261130
# Test cases of an operation in CI, and how long the whole may take.
EXAMPLES, WITHIN_S = 12, 180
# The same of a night.
NIGHTLY_EXAMPLES, NIGHTLY_WITHIN_S = 400, 1800


def fuzzed(server, document, seed, examples, within_s):
    """Runs schemathesis; true if it found nothing."""
    file = server.folder / "openapi.json"
    file.write_text(json.dumps(document))
    command = [sys.executable, "-m", "schemathesis.cli"]
    command += ["--config-file", str(HERE / "schemathesis.toml"), "run", str(file), "--url", f"http://{server.admin}"]
    command += ["--seed", str(seed), "--max-examples", str(examples), "--no-color"]
    env = {**os.environ, "WASTEGATE_TOKEN": TOKEN, "HYPOTHESIS_STORAGE_DIRECTORY": str(server.folder / "hypothesis")}
    try:
        return subprocess.run(command, env=env, cwd=HERE, timeout=within_s).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"error: schemathesis took more than {within_s} s")
        return False


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--nightly", action="store_true")
    arguments.add_argument("--seed", type=int)
    given = arguments.parse_args()
    seed = given.seed or (secrets.randbelow(2**31) if given.nightly else SEED)
    examples, within_s = (NIGHTLY_EXAMPLES, NIGHTLY_WITHIN_S) if given.nightly else (EXAMPLES, WITHIN_S)
    program = os.path.abspath(os.environ["WASTEGATE"])

    began = time.monotonic()
    server = Server(program)
    try:
        document = json.loads(server.ask("GET", "/v1/openapi.json").content)
        contract = Contract(document)
        print(f"the document is valid OpenAPI {document['openapi']}: {len(contract.operations)} operations")
        tour = Tour(server, contract)
        tour.whole()
        print(f"the tour conforms: {sum(map(len, contract.seen.values()))} answers of all operations")
    finally:
        alive = server.stop()
    assert alive, "the server ended during the tour"
    print(f"in {time.monotonic() - began:.0f} s")

    # A server of its own: what is made up blocks users, evicts managers and replaces policies.
    server = Server(program)
    try:
        gather(server)
        # What the examples of paths name.
        arms = [{"policy": "champion"}, {"policy": "lru"}]
        for path, body in (("experiments", {"name": "lru", "arms": arms}), ("shadows", {"policy": "lru"})):
            assert server.ask("POST", f"/v1/{path}", body).status == 201
        print(f"schemathesis with the seed {seed}, at most {within_s} s")
        passed = fuzzed(server, document, seed, examples, within_s)
    finally:
        alive = server.stop()
    assert alive, "the server ended under schemathesis"
    print(f"all in {time.monotonic() - began:.0f} s")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
