"""What is announced, by Home Assistant's own schemas, in an environment of its own."""

import json
import subprocess
from pathlib import Path
from typing import Any

from terminal.roles.discovery.entities import AnnouncedGarage

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "home-assistant" / "bin" / "python"
HEALTH = "parking/marina/garage/health"
GARAGE = AnnouncedGarage("marina", "Marina Garage", "1.0", (f"{HEALTH}/discovery", f"{HEALTH}/run"))


def faults(entities: list[tuple[str, dict[str, Any]]]) -> list[str]:
    assert PYTHON.exists(), "make integrations installs it"
    words = [str(PYTHON), str(Path(__file__).with_name("validate.py"))]
    ended = subprocess.run(words, input=json.dumps(entities), capture_output=True, text=True, check=False, timeout=90)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    assert isinstance(found, list)
    return found


def announced() -> list[tuple[str, dict[str, Any]]]:
    entities = [*GARAGE.of_garage(), *GARAGE.of_lane("exit-1")]
    return [(entity.topic.split("/")[1], entity.config) for entity in entities]


def test_every_entity_is_one_that_home_assistant_takes() -> None:
    assert faults(announced()) == [""] * len(announced())


def test_its_schemas_would_notice_a_mistake() -> None:
    wrong = [
        (component, config | change)
        for component, config in announced()[:1]
        for change in (
            {"device_class": "money"}, {"state_topic": "parking/#/x"}, {"value_template": "{{ value_json."},
            {"availability_mode": "some"}, {"expire_after": "soon"}, {"no_such_key": 1},
        )
    ]  # fmt: skip
    assert all(faults(wrong))
