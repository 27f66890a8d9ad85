"""``python -m tests.chaos.flooder PORT``: a listener's worst neighbours, until killed.

HALF_OPEN connections begin a request and never end it; the others post bodies with bad signatures, one after the other.
"""

import asyncio
import contextlib
import random
import sys

HALF_OPEN = 500
POSTING = 32
PACE_S = 0.01
BODY = b'{"acquireOrder":{}}'
HEAD = b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BAD = HEAD + b"Sign: bm8=\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


async def half_open(port: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEAD + b"Content-Length: 1000\r\n\r\n{")
            while await reader.read(4096):  # until the listener has had enough
                pass
            writer.close()
        await asyncio.sleep(random.uniform(0.3, 0.7))  # not all of them at once


async def post(port: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.suppress(asyncio.IncompleteReadError):
                while True:
                    writer.write(BAD)
                    await reader.readuntil(b"\r\n\r\n")
                    await asyncio.sleep(PACE_S)
            writer.close()
        await asyncio.sleep(random.uniform(0.3, 0.7))


async def main(port: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(POSTING):
            tasks.create_task(post(port))
        for _ in range(HALF_OPEN):
            tasks.create_task(half_open(port))
            await asyncio.sleep(PACE_S / 5)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
