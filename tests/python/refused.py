"""A client in another language is refused over HTTP: `refused.py URL LIMIT`.

Opens LIMIT sessions and one more, which has to be refused. Prints what the refusal says as one
JSON object.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus


async def main(url, limit):
    sessions = [await connect(f"{url}?user=py&key=k{number}") for number in range(limit)]
    try:
        await connect(f"{url}?user=py&key=one-more")
        refusal = None
    except InvalidStatus as refused:
        answer = refused.response
        refusal = {
            "status": answer.status_code,
            "retry_after": answer.headers["Retry-After"],
            "body": json.loads(answer.body),
        }
    for session in sessions:
        await session.send("still here")
        assert await session.recv() == "still here"
        await session.close()
    print(json.dumps(refusal))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
