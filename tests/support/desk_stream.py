"""The live part of a desk's page, as a browser reads it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.support.console_desk import LANE, Person


class Stream:
    """A page's stream: ``events`` holds name, data and id of what has come."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer, self.events = answer, list[tuple[str, str, str]]()

    async def read(self) -> None:
        name, data, number = "message", "", ""
        async for raw in self.answer.content:
            field, _, value = raw.decode().rstrip("\r\n").partition(": ")
            match field:
                case "event":
                    name = value
                case "data":
                    data = value
                case "id":
                    number = value
                case "" if data:
                    self.events.append((name, data, number))
                    name, data = "message", ""

    def of(self, name: str) -> list[str]:
        return [data for kind, data, _ in self.events if kind == name]

    def fields(self, lane: str = LANE) -> dict[str, str]:
        """What the page shows of a lane by now."""
        found: dict[str, str] = {}
        for data in self.of("lane" if lane else "desk"):
            said = json.loads(data)
            if said["lane"] == lane:
                found |= said["fields"]
        return found


@asynccontextmanager
async def streaming(person: Person, query: str = "", last: str = "") -> AsyncIterator[Stream]:
    headers = {"Last-Event-ID": last} if last else {}
    async with person.http.get(f"{person.url}/events{query}", headers=headers) as answer:
        assert answer.status == 200
        stream = Stream(answer)
        reading = asyncio.create_task(stream.read())
        try:
            yield stream
        finally:
            reading.cancel()
