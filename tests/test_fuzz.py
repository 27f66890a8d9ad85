"""Every decoder of bytes from outside: samples, all that was ever found, and as many changes of them as take a second.

`make fuzz` searches by coverage; what it finds goes into tests/fuzz/corpus, and stays mended by this.
"""

import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz.mutator import inputs
from tests.fuzz.search import by_chance
from tests.fuzz.target import CORPUS, FuzzTarget
from tests.fuzz.targets import ALL

INPUTS = 120
"""How many changed samples each target gets."""
FILE, FOLDER = 1024, 40
"""The corpus stays small: bytes of a file that was not a finding, files of a target."""


@pytest.mark.parametrize("target", ALL.values(), ids=ALL.keys())
def test_no_bytes_from_outside_raise_what_their_decoder_may_not(target: FuzzTarget) -> None:
    kept = [path.read_bytes() for path in target.kept()]
    samples = list(target.samples())
    assert samples, "without a sample nothing gets past the first check"
    for data in (*samples, *kept, b"", *islice(inputs([*samples, *kept], target.words, seed=1), INPUTS)):
        target.takes(data)


@pytest.mark.parametrize("target", ALL.values(), ids=ALL.keys())
def test_some_sample_is_read_to_its_end(target: FuzzTarget) -> None:
    """Otherwise only refusals would be tried. A signature is the exception: nobody can make one here."""
    read = 0
    for data in target.samples():
        try:
            target.run(data)
            read += 1
        except target.may_raise:
            pass
    assert read or target.name == "payby-signatures"


def test_the_corpus_has_a_target_for_each_folder_and_stays_small() -> None:
    assert {folder.name for folder in CORPUS.iterdir() if folder.is_dir()} <= ALL.keys()
    for target in ALL.values():
        assert len(target.kept()) <= FOLDER
        assert [path for path in target.kept() if path.stat().st_size > FILE and len(path.name) == 16] == []


def test_the_same_seed_makes_the_same_inputs_and_another_one_others() -> None:
    def made(seed: int) -> list[bytes]:
        return list(islice(inputs([b"one sample", b"another"], [b"word"], seed), 50))

    assert made(1) == made(1) != made(2)
    assert len(set(made(1))) > 40


def test_what_is_wrong_is_found_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(data: bytes) -> None:
        data.decode("ascii")

    planted = FuzzTarget("planted", run, (KeyError,), lambda: [b"harmless"])
    assert by_chance(planted, tmp_path / "planted", seconds=20) == 1
    found = (tmp_path / "planted-found").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        planted.takes(found)
    assert "UnicodeDecodeError" in capsys.readouterr().err
    assert "atheris" not in sys.modules
