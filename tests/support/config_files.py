"""Configuration files of a test, and what is said of them."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from terminal.config.load import load
from terminal.config.schema import ConfigError, Settings

EXAMPLE = Path(__file__).parents[2] / "deploy" / "exit-terminal.toml"
WHOLE = re.sub(r" +#.*", "", EXAMPLE.read_text(encoding="utf-8"))
ROLES = ("broker", "worker", "listener", "barrier", "loops", "lcd", "reader", "console", "alerts", "discovery")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "exit.toml"


def said(file: Path, text: str, environ: dict[str, str] | None = None, *roles: str) -> str:
    """The one line with which a configuration is refused."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load(file, environ or {}).require(*roles)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def read(file: Path, text: str = WHOLE, environ: dict[str, str] | None = None) -> Settings:
    file.write_text(text, encoding="utf-8")
    return load(file, environ or {})


def keyed(folder: Path, keys: Mapping[str, bytes], text: str) -> Settings:
    """A machine's that has these keys, each in the file of its name."""
    for name, key in keys.items():
        (folder / name).write_text(key.hex() + "\n")
        (folder / name).chmod(0o600)
    return read(folder / "desk.toml", text)
