"""What HTTP the product serves is what deploy/openapi says: each path, each status, and nothing breaks a server."""

import asyncio
import os
from pathlib import Path

import pytest
import schemathesis

from tests.support.http_description import FOLDER, description, hold, operations
from tests.support.http_servers import NAMES, STREAMS, serving

EXAMPLES = int(os.environ.get("HTTP_EXAMPLES", "8"))
"""Requests for each operation, half of them against the document; `make fuzz` makes more."""


@pytest.mark.parametrize("name", NAMES)
def test_each_description_is_one_of_openapi_3_1(name: str) -> None:
    found = description(name)
    assert found["openapi"].startswith("3.1")
    schema = schemathesis.openapi.from_dict(found)
    schema.validate()
    assert [operation.ok().label for operation in schema.get_all_operations()]
    for method, path in operations(name):
        assert found["paths"][path][method.lower()]["summary"], f"{method} {path}"


def test_there_is_one_for_each_door_and_no_other() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", ["desk", "demo", "sandbox"])
async def test_each_path_that_is_served_is_described_and_no_other(name: str, tmp_path: Path) -> None:
    async with serving(name, tmp_path) as server:
        assert server.app
        served = {
            (route.method, route.resource.canonical)
            for route in server.app.router.routes()
            if route.method != "HEAD" and route.resource
        }
    described = set(operations(name)) - {("GET", "/desk")}  # the demo's way to the desk is there with the desk alone
    assert served - {("GET", "/desk")} == described


@pytest.mark.parametrize("name", NAMES)
async def test_every_request_gets_an_answer_that_the_description_knows(name: str, tmp_path: Path) -> None:
    leave_out = [*STREAMS, ("GET", "/desk")] if name == "demo" else STREAMS
    async with serving(name, tmp_path) as server:
        answered = await asyncio.to_thread(
            hold, name, server.url, examples=EXAMPLES, prepare=server.prepare, leave_out=leave_out
        )
    asked = [one for one in operations(name) if one not in leave_out]
    assert answered >= len(asked) * 2, "hardly anything was answered"
