"""One target, searched: by coverage where atheris is there, else by chance. A process for itself.

Ends with status 0 when time is up, and otherwise as libFuzzer does, with what it found in the folder.
"""

import sys
import time
import traceback
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what is searched by coverage must be imported under atheris
    from tests.fuzz.target import FuzzTarget

ATHERIS = Path(__file__).parents[2] / ".venv" / "fuzz"
SLOW_S, MEMORY_MB = 5, 2048
"""An input that takes longer, or more, is a finding."""
SAID = "-artifact_prefix="


def by_coverage(name: str, folder: Path, seconds: int) -> None:
    """Does not return."""
    import atheris

    with atheris.instrument_imports(include=["terminal", "broker", "drivers", "amqtt"], enable_loader_override=False):
        from tests.fuzz.targets import ALL
    target = ALL[name]
    words = folder.with_suffix(".dict")
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words)
    words.write_text("".join(f'"{word}"\n' for word in quoted))
    limits = [f"-timeout={SLOW_S}", f"-rss_limit_mb={MEMORY_MB}", "-max_len=8192", f"-max_total_time={seconds}"]
    kept = [str(path.parent) for path in target.kept()[:1]]
    words_given = [f"-dict={words}"] if target.words else []
    atheris.Setup(
        [sys.argv[0], *limits, f"{SAID}{folder.parent}/{name}-", *words_given, str(folder), *kept],
        target.takes,
    )
    atheris.Fuzz()


def by_chance(target: "FuzzTarget", folder: Path, seconds: int) -> int:
    """Returns 1 for a finding."""
    from tests.fuzz.mutator import inputs

    samples = [*target.samples(), *(path.read_bytes() for path in target.kept())]
    until, count = time.monotonic() + seconds, 0
    source = inputs(samples, target.words, seed=time.time_ns())
    while time.monotonic() < until:
        for data in islice(source, 50):
            began = time.monotonic()
            try:
                target.takes(data)
                assert time.monotonic() - began < SLOW_S, "slow"
            except Exception:  # whatever it is, it is the finding
                found = folder.parent / f"{target.name}-found"
                found.write_bytes(data)
                traceback.print_exc()
                print(f"{found}: after {count} inputs", file=sys.stderr)
                return 1
            count += 1
    print(f"{count} inputs by chance", file=sys.stderr)
    return 0


if __name__ == "__main__":
    chosen, place, limit = sys.argv[1:]
    if ATHERIS.is_dir():
        sys.path.insert(0, str(ATHERIS))
        by_coverage(chosen, Path(place), int(limit))
    from tests.fuzz.targets import ALL as TARGETS

    sys.exit(by_chance(TARGETS[chosen], Path(place), int(limit)))
