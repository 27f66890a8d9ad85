"""``python -m tests.audit``: has a pinned package a known hole? ``--sbom FILE``: all of them, as CycloneDX.

pip-audit and cyclonedx-py stand in ``.audit``, which ``make audit`` and ``make sbom`` make. pip-audit says "no known
vulnerabilities" also if it could ask nobody, and ends with 0. So its answers are counted here: status 0 only if each
package was asked about and none has a hole, 1 for a hole, 2 if nobody could be asked about one of them.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TREE = Path(__file__).parents[1]
BIN = TREE / ".audit" / "bin"
LOCKS = ("requirements.lock", "requirements-pi.lock")
"""What is installed in a garage; the developers' have more, and `make audit LOCKS=…` takes any."""
WAIT_S = 600


def pinned(lock: Path) -> dict[str, str]:
    """Version by name."""
    return dict(re.findall(r"(?m)^([a-z0-9._-]+)==(\S+)", lock.read_text(encoding="utf-8")))


def verdict(lock: Path, answered: str, said: str) -> tuple[int, list[str]]:
    """What pip-audit printed, and said on stderr -> the status, and lines for a person."""
    pins = pinned(lock)
    try:
        found: list[dict[str, Any]] = json.loads(answered)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = said.strip().splitlines()[-1:] or ["nothing"]
        return 2, [f"{lock.name}: not audited: no vulnerability service answers ({last[0][:200]})"]
    asked = {one["name"] for one in found if "vulns" in one}
    lines = [
        f"{lock.name}: {one['name']} {one['version']}: {hole['id']},"
        f" mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for one in found
        for hole in one.get("vulns", ())
    ]
    status = 1 if lines else 0
    if missing := sorted(pins.keys() - asked):
        named = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        lines.append(f"{lock.name}: not audited: nobody here tells of {len(missing)} of {len(pins)} packages ({named})")
        status = status or 2
    return status, lines or [f"{lock.name}: none of {len(pins)} packages has a known hole"]


def audit(locks: Sequence[Path], pip_audit: Path) -> int:
    """The worst status of all: a hole is worse than an answer that is missing."""
    statuses = set()
    for lock in locks:
        words = [str(pip_audit), "--no-deps", "--disable-pip", "--progress-spinner=off", "-f", "json", "-r", str(lock)]
        ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=WAIT_S)
        status, lines = verdict(lock, ended.stdout, ended.stderr)
        print("\n".join(lines))
        statuses.add(status)
    return 1 if 1 in statuses else max(statuses)


def sbom(lock: Path, target: Path, cyclonedx: Path) -> int:
    """Status 1 if it does not name each package of the lock with its version and a hash."""
    words = [str(cyclonedx), "requirements", str(lock), "--pyproject", str(TREE / "pyproject.toml")]
    words += ["--output-reproducible", "--of", "JSON", "-o", str(target)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=WAIT_S)
    if ended.returncode:
        print(f"sbom: {(ended.stderr.strip().splitlines() or ['failed'])[-1]}", file=sys.stderr)
        return 1
    found = json.loads(target.read_text(encoding="utf-8"))
    named = {one["name"]: one["version"] for one in found["components"] if '"SHA-256"' in json.dumps(one)}
    if named != pinned(lock):
        print(f"sbom: {target} does not name what {lock.name} pins", file=sys.stderr)
        return 1
    print(f"{target}: CycloneDX {found['specVersion']}, {len(named)} packages of {lock.name}, each with its hashes")
    return 0


def main(arguments: Sequence[str] | None = None, folder: Path = BIN) -> int:
    ask = argparse.ArgumentParser(prog="python -m tests.audit", description=__doc__)
    ask.add_argument("locks", nargs="*", type=Path, help=f"default: {', '.join(LOCKS)}")
    ask.add_argument("--sbom", type=Path, metavar="FILE", help="write the packages of one lock into it")
    asked = ask.parse_args(arguments)
    locks = asked.locks or [TREE / name for name in LOCKS]
    if asked.sbom:
        return sbom(locks[0], asked.sbom, folder / "cyclonedx-py")
    return audit(locks, folder / "pip-audit")


if __name__ == "__main__":
    sys.exit(main())
