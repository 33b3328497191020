"""A client in another language meets the limit: `at_the_limit.py URL LIMIT`.

Opens LIMIT sessions, lets the first one die (its transport is paused: the socket stays open, and
nothing is read or answered), opens one more, and sees which session had to go and what it was told.
Prints one JSON object.
"""

import asyncio
import json
import re
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def talk(session, text):
    await session.send(text)
    answer = await session.recv()
    assert answer == text, answer


def sentence(reason):
    """What a close reason says, without the reference that support asks for."""
    return re.fullmatch(r"(.+) \(why [0-9A-HJKMNP-TV-Z]{6}\)", reason).group(1)


async def main(url, limit):
    def dial(key):
        return connect(f"{url}?user=py&key={key}&device={key}", ping_interval=None)

    sessions = [await dial(f"k{number}") for number in range(1, limit + 1)]
    for session in sessions:
        await talk(session, "hello")
    dead, *living = sessions
    dead.transport.pause_reading()

    admitted = await dial("one-more")
    await talk(admitted, "in")

    dead.transport.resume_reading()
    try:
        await dead.recv()
        told = None
    except ConnectionClosed as closed:
        told = closed.rcvd and [closed.rcvd.code, sentence(closed.rcvd.reason)]
    for session in living:
        await talk(session, "still here")
    await asyncio.gather(*(session.close() for session in [*living, admitted]))
    print(json.dumps({"admitted": True, "kept": len(living), "dead_was_told": told}))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
