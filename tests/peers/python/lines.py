"""One command a line in, one event a line out."""

import asyncio
import sys


def say(line):
    print(line.rstrip(), flush=True)


async def commands():
    """What is told, as a word and its argument, to the end."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command, _, argument = line.decode().strip().partition(" ")
        yield command, argument


async def obey(send_text, send_binary, leave):
    async for command, argument in commands():
        if command == "text":
            await send_text(argument)
        elif command == "binary":
            await send_binary(b"\7" * int(argument))
        elif command == "dismiss":
            await send_text("dismiss")
        elif command == "leave":
            await leave()


async def both(reading, obeying):
    """Until the connection has ended."""
    told = asyncio.create_task(obeying)
    try:
        await reading
    finally:
        told.cancel()


def heard(message):
    say(f"text {message}" if isinstance(message, str) else f"binary {len(message)}")
