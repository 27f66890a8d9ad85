"""An OpenAPI document held against a server that runs: requests are made from the document, and from what it does not
allow, by schemathesis; each answer must be one that the document knows."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

FOLDER = Path(__file__).parents[2] / "deploy/openapi"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
Prepare = Callable[[requests.PreparedRequest], object]
LIMIT_S = 20


def description(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def operations(name: str) -> list[tuple[str, str]]:
    """(method, path) of each."""
    return [(method.upper(), path) for path, item in description(name)["paths"].items() for method in item]


def hold(
    name: str, url: str, *, examples: int, prepare: Prepare = lambda _: None, leave_out: Iterable[tuple[str, str]] = ()
) -> int:
    """Blocks. Makes so many requests for each operation; ``prepare`` may sign them. Returns how many were answered;
    raises what schemathesis does for an answer that the document does not know."""
    schema = schemathesis.openapi.from_dict(description(name))
    answered = 0
    with requests.Session() as http:
        http.trust_env = False
        for found in schema.get_all_operations():
            operation = found.ok()
            if (operation.method.upper(), operation.path) in set(leave_out):
                continue
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                answered += _hold(operation, mode, url, http, examples // 2, prepare)
    return answered


def _hold(
    operation: Any, mode: GenerationMode, url: str, http: requests.Session, examples: int, prepare: Prepare
) -> int:
    answered = 0

    @settings(
        max_examples=examples, derandomize=True, deadline=None, database=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode), chance=st.integers(0, 3))
    def asks(case: Any, chance: int) -> None:
        nonlocal answered
        try:
            asked = http.prepare_request(requests.Request(**case.as_transport_kwargs(base_url=url)))
        except (requests.RequestException, UnicodeError, ValueError):
            return  # no client can send it
        if chance:  # otherwise as anybody would send it
            prepare(asked)
        with http.send(asked, timeout=LIMIT_S, allow_redirects=False) as answer:
            case.validate_response(answer, checks=CHECKS)
        answered += 1

    with suppress(Unsatisfiable):  # nothing is against the document where it allows everything
        asks()
    return answered
