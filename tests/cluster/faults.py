"""The stories: each begins clients, has its fault, and ends when the fault has."""

import asyncio
import signal
import time

from bench import until


async def on(scene, seconds):
    """Clients come and go meanwhile, and are judged: nothing is waited for."""
    await asyncio.sleep(seconds / 4 if scene.quick else seconds)


async def begin(scene):
    scene.crowd.begin()
    await on(scene, 12)


async def nothing(scene):
    """No fault: what the others are compared with."""
    await begin(scene)
    await on(scene, 20)


async def kill(scene):
    await begin(scene)
    with scene.down(0):
        await scene.bench.kill("gw1")
        await on(scene, 40)
        await scene.bench.start_node(0)


async def freeze(scene):
    await begin(scene)
    # Two parts: what is frozen keeps its sockets, while the others let as many in.
    with scene.down(0), scene.apart(2):
        scene.bench.send("gw1", signal.SIGSTOP)
        await on(scene, 30)
        scene.bench.send("gw1", signal.SIGCONT)


async def restart(scene):
    await begin(scene)
    with scene.down(0):
        await scene.bench.kill("gw1")
        await scene.bench.start_node(0)


async def pause(scene):
    await begin(scene)
    with scene.apart(3):
        assert await scene.bench.ask("CLIENT", "PAUSE", 5000, "ALL") == b"+OK"
        await asyncio.sleep(5)


async def empty(scene):
    await begin(scene)
    with scene.apart(3):
        await scene.bench.kill("engine")
        await on(scene, 5)
        await scene.bench.start_engine()


async def lose(bench):
    """Half a second of writes that only the engine has, which is killed then. One of them is ours, to be sure."""
    await bench.ask("SET", "acknowledged", 1)
    await asyncio.sleep(0.5)
    await bench.kill("engine")
    found = await bench.ask("GET", "acknowledged", port=bench.second_port)
    assert found == b"$-1", f"no write was lost: the replica answers {found}"


async def failover(scene):
    """The replica is cut off before, so half a second of acknowledged writes is lost; then the address is its own."""
    bench = scene.bench
    await begin(scene)
    with scene.apart(3):
        await bench.ask("REPLICAOF", "NO", "ONE", port=bench.second_port)
        await lose(bench)
        bench.send_through(bench.second_port)
        scene.ledger_port = bench.second_port


async def sentinel(scene):
    """The replica follows a port where nothing is before the engine is killed: half a second of writes is lost."""
    bench = scene.bench
    await begin(scene)
    with scene.apart(3):
        await bench.ask("REPLICAOF", "127.0.0.1", 9, port=bench.second_port)
        await lose(bench)
        scene.ledger_port = bench.second_port

        async def promoted():
            return await bench.ask("ROLE", port=bench.second_port, lines=3) == b"master"
        await until("the Sentinels promote the replica", promoted)


async def says_away(scene, node):
    return ((await scene.bench.document(node, "/readyz")) or {}).get("cluster") == "away"


def cut(*ways):
    async def story(scene):
        await begin(scene)
        with scene.apart(2):
            for way in ways:
                scene.bench.spaces.cut(*way)
            await until("the node is cut off", lambda: says_away(scene, 0), 20)
            await on(scene, 20)
            for way in ways:
                scene.bench.spaces.join(*way)
    return story


def clock(seconds):
    async def story(scene):
        await begin(scene)
        scene.bench.step(seconds)
        told = int(await scene.bench.ask("TIME", lines=3)) - time.time()
        assert abs(told - seconds) < 5, f"the engine's clock is off by {told} s, not by {seconds}"
        await on(scene, 10)
    return story


async def slow(scene):
    """Each answer comes 200 ms later, which is beyond the budget of a call: nodes go by `away`."""
    await begin(scene)
    with scene.apart(3):
        scene.bench.send_through(scene.bench.engine_port, 200)
        await on(scene, 20)
        scene.bench.send_through(scene.bench.engine_port)


async def hold(scene):
    """250 users hold 20 sockets each while the engine is away for 60 s."""
    crowd, places = scene.crowd, asyncio.Semaphore(50)

    async def come(number):
        async with places:
            life = crowd.life(f"holder-{number // 20}", f"k{number}", number % 3)
            task = asyncio.create_task(crowd.answers(life, None))
            crowd.tasks.append(task)
            while life.admitted is None and not task.done():
                await asyncio.sleep(0.05)

    await asyncio.gather(*(come(number) for number in range(5000)))
    assert crowd.held() == 5000, f"{crowd.held()} of 5000 are there"
    with scene.apart(3):
        await scene.bench.kill("engine")
        await asyncio.sleep(60)
        await scene.bench.start_engine()


STORIES = {
    "nothing": (nothing, {}),
    # Clients that send each second. Those of the others answer pings and send nothing.
    "busy": (nothing, {"talk": True}),
    "kill": (kill, {}),
    "freeze": (freeze, {}),
    "restart": (restart, {}),
    "pause": (pause, {}),
    "empty": (empty, {}),
    "failover": (failover, {"through": True}),
    "sentinel": (sentinel, {"sentinel": True}),
    "cut-both": (cut(("gw1", "engine"), ("engine", "gw1")), {"spaces": True}),
    "cut-to-engine": (cut(("gw1", "engine")), {"spaces": True}),
    "cut-from-engine": (cut(("engine", "gw1")), {"spaces": True}),
    "clock-forward": (clock(60), {"faked": True}),
    "clock-back": (clock(-60), {"faked": True}),
    "slow": (slow, {"through": True}),
    "hold": (hold, {"settings": {"limits.managers_per_user": 20, "health.ping_interval_ms": 15000}}),
}
