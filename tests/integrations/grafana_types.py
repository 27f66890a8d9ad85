"""Reads a dashboard by Grafana's own types (grafana-foundation-sdk) and writes it again. Run by its environment's
Python, not by ours: prints a JSON list of what those types do not know or have otherwise, empty for nothing."""

import json
import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

register_default_plugins()  # the panels' options, and Prometheus's queries


def lost(given: Any, kept: Any, at: str = "") -> list[str]:
    """The places of what was given and is not there, or not the same, any more."""
    if isinstance(given, dict) and isinstance(kept, dict):
        gone = [f"{at}.{key}" for key in given if key not in kept]
        return gone + [place for key in given if key in kept for place in lost(given[key], kept[key], f"{at}.{key}")]
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        pairs = enumerate(zip(given, kept, strict=True))
        return [place for number, (one, other) in pairs for place in lost(one, other, f"{at}[{number}]")]
    return [] if given == kept else [at]


read = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
print(json.dumps(lost(read, json.loads(JSONEncoder().encode(Dashboard.from_json(read))))))
