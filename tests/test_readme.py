"""The pages' own commands run, and what they point at is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from terminal.__main__ import parser

TREE = Path(__file__).parents[1]
PAGES = [
    *(TREE / name for name in ("README.md", "DESIGN.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    TREE / "terminal/contract/README.md",
    *sorted((TREE / "deploy").rglob("*.md")),
]
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def commands(page: Path) -> list[str]:
    lines = (
        line.partition(" #")[0].strip() for block in BLOCK.findall(page.read_text()) for line in block.splitlines()
    )
    return [line for line in lines if line]


README = commands(TREE / "README.md")
TERMINAL = sorted(
    {
        match[1].strip()
        for page in PAGES
        for line in commands(page)
        if (match := re.search(r"\.venv/bin/exit-terminal (.*)", line))
    }
)


def test_the_readme_s_commands_are_these() -> None:
    assert README == [
        "make demo",
        "make demo CARS=20",
        "make test",
        ".venv/bin/exit-terminal --help",
        ".venv/bin/exit-terminal screens --out screens",
        ".venv/bin/exit-terminal contract",
        ".venv/bin/exit-terminal check",
        ".venv/bin/exit-terminal run",
        ".venv/bin/exit-terminal watch",
    ]


@pytest.mark.parametrize("line", [line for line in README if line.startswith("make")])
def test_make_knows_what_the_readme_makes(line: str) -> None:
    ended = subprocess.run([*line.split(), "--dry-run"], cwd=TREE, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    if "demo" in line:
        assert f"exit-terminal demo {'--cars 20' if 'CARS' in line else '--port 8000'}\n" in ended.stdout
    else:
        for part in ("ruff check", "ruff format --check", "mypy", "lint-imports", "pytest"):
            assert part in ended.stdout


@pytest.mark.parametrize("words", TERMINAL)
def test_the_command_line_takes_what_the_pages_write(words: str, tmp_path: Path) -> None:
    if "desk/" in words:  # what `init` made; before the others, since a path of theirs may have such a folder
        (tmp_path / "desk/upload").mkdir(parents=True)
        (tmp_path / "desk/upload/merchant.pub.pem").touch()
        words = words.replace("desk/", f"{tmp_path}/desk/")
    for place in ("/mnt/safe", "/var/lib/exit-terminal"):  # a backup wants a folder that is there
        words = words.replace(place, str(tmp_path))
    (tmp_path / "garage.tar").touch()
    if words != "--help":
        assert parser().parse_args(words.split()).command


@pytest.mark.parametrize("words", ["--help", "screens --out screens", "contract"])
def test_what_needs_no_configuration_runs_as_the_readme_writes_it(words: str, tmp_path: Path) -> None:
    assert f".venv/bin/exit-terminal {words}" in README
    ended = subprocess.run(
        [sys.executable, "-m", "terminal", *words.split()],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(TREE)) for page in PAGES])
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_every_folder_that_the_readme_names_is_there() -> None:
    named = re.findall(r"^\| `([a-z/]+)`(?:, `([a-z/]+)`)? \|", (TREE / "README.md").read_text(), re.MULTILINE)
    folders = [name for pair in named for name in pair if name]
    assert len(folders) == 11
    assert [name for name in folders if not (TREE / name).is_dir()] == []


def test_the_wiring_page_has_the_pins_of_the_example() -> None:
    example = (TREE / "deploy/exit-terminal.toml").read_text()
    page = (TREE / "deploy/wiring.md").read_text()
    pins = dict(re.findall(r"^(\w+_pin) = (\d+)", example, re.MULTILINE))
    assert len(pins) == 8
    for name, number in pins.items():
        row = next(line for line in page.splitlines() if f".{name}`" in line)
        assert re.search(rf"\b{number} \(", row), row
