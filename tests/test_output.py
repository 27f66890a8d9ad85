"""Every command where standard output takes ASCII, or Latin letters, alone."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from terminal.app.output import make_plain, takes

ENVIRONMENTS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "LANG=C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
CONFIGURATION = """
[garage]
id = "marina"
name = "Marina \N{LEFT DOUBLE QUOTATION MARK}Garage\N{RIGHT DOUBLE QUOTATION MARK}"
name_ar = "\N{ARABIC LETTER MEEM}"
timezone = "Asia/Dubai"
help_phone = "+971 4 000 0000"
[ticket]
keys = { k1 = "k1" }
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    (tmp_path / "k1").write_text("00" * 32)
    (tmp_path / "k1").chmod(0o600)
    folder = tmp_path / "\N{ARABIC LETTER ALEF}"
    folder.mkdir()
    (tmp_path / "k1").rename(folder / "k1")
    (folder / "lane.toml").write_text(CONFIGURATION, encoding="utf-8")
    return folder / "lane.toml"


def run(environment: str, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "terminal", *map(os.fsencode, words)]
    done = subprocess.run(command, env=os.environ | ENVIRONMENTS[environment], capture_output=True, timeout=60)
    assert b"Traceback" not in done.stderr and b"codec" not in done.stderr, done.stderr
    if environment != "latin-1":
        done.stdout.decode("ascii")
    return done


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_ticket_is_printed_with_a_symbol_that_can_be_scanned(environment: str, configuration: Path) -> None:
    done = run(environment, "--config", configuration, "ticket")
    assert done.returncode == 0
    *symbol, _, _, _, text = done.stdout.decode("ascii").splitlines()
    rows = [
        [
            shade
            for code, blanks in re.findall(r"\x1b\[(\d+)m( *)", row)
            for shade in [255 * (code == "7")] * len(blanks)
        ]
        for row in symbol
    ]
    width, rows = len(rows[0]), [row for row in rows if len(row) == len(rows[0])]
    picture = Image.new("L", (width, len(rows)))
    picture.putdata([shade for row in rows for shade in row])
    enlarged = picture.resize((width * 4, len(rows) * 8), Image.Resampling.NEAREST)
    assert [found.text for found in zxingcpp.read_barcodes(enlarged)] == [text]


def test_the_contract_is_json_all_the_same() -> None:
    done = run("ascii", "contract")
    assert done.returncode == 0 and json.loads(done.stdout.decode("latin-1"))["asyncapi"]


@pytest.mark.parametrize("words", [["check"], ["refund", "\N{ARABIC LETTER ALEF}"]])
def test_what_is_wrong_is_said_in_one_line(words: list[str], configuration: Path) -> None:
    configuration.write_text(CONFIGURATION + "\N{ARABIC LETTER ALEF}", encoding="utf-8")
    done = run("LANG=C", "--config", configuration, *words)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)


def test_check_says_a_line_for_each_part(configuration: Path) -> None:
    done = run("ascii", "--config", configuration, "check")
    assert done.returncode == 1 and done.stdout.endswith(b"not ready\n")


def test_the_demo_says_its_times() -> None:
    done = run("ascii", "demo", "--cars", "1")
    assert done.returncode == 0, done.stderr
    assert b"order -> QR on glass" in done.stdout


def test_what_an_encoding_lacks_is_escaped_as_in_json() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    make_plain(stream)
    stream.write(json.dumps(text := "\u0645 \xe9 \U0001f697 \udc80", ensure_ascii=False))
    stream.flush()
    assert json.loads(raw.getvalue()) == text
    assert not takes(stream, text) and takes(stream, "plain")
