"""A cluster under faults: three gateways, a real engine and clients, a fault for each story, and `history.judge` over
what clients saw. One table row a story.

    stories.py [--quick] [--only NAME,NAME] [--logs FOLDER]      WASTEGATE names the program
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

from bench import Bench, until
from clients import Crowd
from faults import STORIES
from history import History, Span, judge

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAD = ("story", "admissions", "locked out", "refused by rule", "longest admission, s", "excess, most",
        "excess, longest, s", "live kills", "well again, s", "driver late, s")


class Scene:
    """What a story may do: it changes the bench and writes down when."""

    def __init__(self, bench, crowd, history, quick):
        self.bench, self.crowd, self.history, self.quick = bench, crowd, history, quick
        self.alive = {0, 1, 2}
        self.ledger_port = None

    @contextlib.contextmanager
    def down(self, node):
        span = Span(time.monotonic() - 0.5, float("inf"))
        self.history.down.setdefault(node, []).append(span)
        yield
        span.end = time.monotonic() + 1

    @contextlib.contextmanager
    def apart(self, parts):
        self.history.parts = parts
        span = Span(time.monotonic(), float("inf"))
        self.history.apart.append(span)
        yield
        span.end = time.monotonic()


async def watch(history):
    """How late this process is: what clients measured is that much too long."""
    while True:
        before = time.monotonic()
        await asyncio.sleep(0.05)
        history.lag = max(history.lag, time.monotonic() - before - 0.05)


async def well(scene):
    """Every node reaches the engine and knows of no surplus."""
    if not await scene.bench.all_up(scene.alive):
        return False
    for node in scene.alive:
        if await scene.bench.metric(node, "wastegate_cluster_over_limit"):
            return False
    return True


async def counts(scene):
    """What clients, nodes and the ledger say of how much is held."""
    users = 0
    for node in scene.alive:
        document = await scene.bench.document(node, "/v1/users?limit=1000")
        users += sum(user["held"] for user in document["users"]) if document else -1000
    ledger = await scene.bench.ledger(scene.ledger_port)
    return [("clients and nodes", scene.crowd.held(), users), ("nodes and ledger", users, ledger)]


async def play(name, program, folder, quick):
    story, wishes = STORIES[name]
    wishes = dict(wishes)
    talk = wishes.pop("talk", False)
    bench = Bench(program, folder, **wishes)
    history = History(limit=int(wishes.get("settings", {}).get("limits.managers_per_user", 5)))
    watching = asyncio.create_task(watch(history))
    crowd = Crowd(bench, history, seed=sum(name.encode()), talk=talk)
    scene = Scene(bench, crowd, history, quick)
    try:
        await bench.start_all()
        await story(scene)
        healed = time.monotonic()
        try:
            await until("every node is well", lambda: well(scene))
        except AssertionError as error:
            history.counts.append((str(error), True, False))
        took = time.monotonic() - healed
        await asyncio.sleep(0 if quick else 10)  # not a wait: newcomers go on, and are judged
        crowd.quiet.set()

        async def equal():
            found = await counts(scene)
            return all(row[1] == row[2] for row in found)
        try:
            await until("counts are equal", equal, 20)
        except AssertionError:
            history.counts += await counts(scene)
        history.end = time.monotonic()
        await crowd.end()
        record = dataclasses.asdict(history) | {"healed": healed}
        (pathlib.Path(folder) / "history.json").write_text(json.dumps(record, indent=1))
    finally:
        watching.cancel()
        await bench.end()
    return judge(history), took, history.lag


async def main(arguments):
    quick = "--quick" in arguments
    program = pathlib.Path(os.environ.get("WASTEGATE", ROOT / "target/debug/wastegate-under-test")).resolve()
    names = [name for name, (story, _) in STORIES.items() if not quick or name in ("kill", "pause", "empty")]
    if "--only" in arguments:
        names = arguments[arguments.index("--only") + 1].split(",")
    logs = pathlib.Path(arguments[arguments.index("--logs") + 1]) if "--logs" in arguments else None
    print("|", " | ".join(HEAD), "|", flush=True)
    print("|", " | ".join("---" for _ in HEAD), "|", flush=True)
    failed = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            faults = []
            try:
                verdict, took, lag = await play(name, program, folder, quick)
                faults = verdict.faults()
                row = (name, verdict.admissions, len(verdict.lockouts), verdict.by_rule, f"{verdict.longest:.2f}",
                       verdict.excess, f"{verdict.excess_for:.1f}", len(verdict.live_kills), f"{took:.1f}",
                       f"{lag:.2f}")
                print("|", " | ".join(map(str, row)), "|", flush=True)
            except (AssertionError, OSError, RuntimeError) as error:
                faults = [f"the story did not end: {error!r}"]
            if faults:
                failed.append(name)
                print(f"{name}: {len(faults)} faults", *faults[:20], sep="\n  ", file=sys.stderr, flush=True)
                for log in sorted(pathlib.Path(folder).glob("gw*.log")):
                    print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-8:], sep="\n",
                          file=sys.stderr, flush=True)
            if logs:
                shutil.copytree(folder, logs / name, dirs_exist_ok=True)
    if failed:
        sys.exit(f"faults in: {', '.join(failed)}")


asyncio.run(main(sys.argv[1:]))
