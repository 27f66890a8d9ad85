"""Two clients of aiomqtt: one hop, QoS 1, publish to subscriber, ``python -m ... PORT TOPIC BYTES``; microseconds."""

import asyncio
import sys
import time

import aiomqtt


async def main(port: int, topic: str, size: int) -> None:
    payload, loop = b"x" * size, asyncio.get_running_loop()
    async with aiomqtt.Client("127.0.0.1", port) as publisher, aiomqtt.Client("127.0.0.1", port) as subscriber:
        await subscriber.subscribe(topic, qos=1)
        messages = aiter(subscriber.messages)
        while await loop.run_in_executor(None, sys.stdin.readline):
            began = time.perf_counter_ns()
            publishing = asyncio.create_task(publisher.publish(topic, payload, qos=1))
            await anext(messages)
            took = time.perf_counter_ns() - began
            await publishing
            print(took / 1000, flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
