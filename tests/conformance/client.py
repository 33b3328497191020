"""An echo client that runs every case of the suite's server, through whatever a URL leads to."""

import asyncio

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake


async def ask(url):
    """The one message that a URL of the suite's server has to say."""
    async with connect(url) as socket:
        return await socket.recv()


async def run_case(url):
    """Echoes until it is over. What came of it is the suite's to say; a handshake that failed is ours."""
    try:
        async with connect(url, max_size=None, ping_interval=None, close_timeout=30) as socket:
            async for message in socket:
                await socket.send(message)
    except ConnectionClosed:
        pass
    except InvalidHandshake as failure:
        return str(failure)
    return None


async def every_case(server, agents, progress):
    """Every case by every agent: a name, and a URL that takes the rest of a query."""
    count = int(await ask(f"{server}/getCaseCount"))
    failures = []
    for case in range(1, count + 1):
        for agent, url in agents.items():
            failure = await run_case(f"{url}case={case}&agent={agent}")
            if failure:
                failures.append(f"{agent}, case number {case}: {failure}")
        if case % 50 == 0 or case == count:
            progress(f"{case} of {count}")
    # A case is over for the suite when its own end of the connection is, which is later behind a proxy. It
    # answers when it has the result.
    for agent in agents:
        await ask(f"{server}/getCaseStatus?case={count}&agent={agent}")
    # The suite closes it when the reports are written, which takes a while.
    async with connect(f"{server}/updateReports?agent=all", open_timeout=None, close_timeout=None,
                       ping_interval=None) as socket:
        await socket.wait_closed()
    return failures


def run_every_case(server, agents, progress):
    return asyncio.run(every_case(server, agents, progress))
