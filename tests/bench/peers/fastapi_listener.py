"""A listener as one writes it with FastAPI, aiomqtt and uvicorn: ``uvicorn tests.bench.peers.fastapi_listener:app``."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt
import fastapi

from tests.bench.peers.notices import PAID, PORT, RECEIPT, REPLY, WAIT_S, checked

waiting: dict[str, "asyncio.Future[None]"] = {}


async def hear(client: aiomqtt.Client) -> None:
    await client.subscribe(RECEIPT, qos=1)
    async for message in client.messages:
        journaled = waiting.get(json.loads(message.payload)["notify_id"])
        if journaled and not journaled.done():
            journaled.set_result(None)


@asynccontextmanager
async def life(app: fastapi.FastAPI) -> AsyncIterator[None]:
    async with aiomqtt.Client("127.0.0.1", PORT) as app.state.client:
        hearing = asyncio.create_task(hear(app.state.client))
        yield
        hearing.cancel()


app = fastapi.FastAPI(lifespan=life)


@app.post("/payby/notify")
async def notified(request: fastapi.Request) -> fastapi.Response:
    said = checked(await request.body(), request.headers["sign"])
    journaled = waiting[said["notify_id"]] = asyncio.get_running_loop().create_future()
    try:
        await app.state.client.publish(PAID, json.dumps(said), qos=1)
        await asyncio.wait_for(journaled, WAIT_S)
    except TimeoutError:
        return fastapi.Response(status_code=503)
    finally:
        del waiting[said["notify_id"]]
    return fastapi.Response(REPLY, media_type="application/json")
