"""``python -m tests.chaos.lane_flooder URL USER PASSWORD LANE RATE``: a lane's user that says RATE refused fees a
second, each another one, until killed. It prints once a second how many a second went out, from the beginning on."""

import asyncio
import sys
import time

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Fee, encode, stamp
from terminal.mqtt.client import MqttClient

PAUSE_S = 0.005
CLOCK = SystemClock()


async def main(url: str, user: str, password: str, lane: str, rate: str) -> None:
    async with MqttClient(url, username=user, password=password) as bus:
        await bus.wait_connected()
        began, sent, told = time.monotonic(), 0, 0.0
        while True:
            due = int((time.monotonic() - began) * int(rate))
            for _ in range(due - sent):
                head = {"id": new_id(CLOCK), "at": stamp(CLOCK.wall_ms())}
                fee = Fee(**head, ticket=f"LOYALTY {head['id']}", reason="refused", why="ticket-unknown")
                await bus.publish(f"parking/marina/{lane}/fee", encode(fee))
            sent = due
            if (now := time.monotonic()) - told >= 1.0:
                told = now
                print((sent - bus.dropped) / max(0.001, now - began), flush=True)
            await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
