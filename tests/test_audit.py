"""What `make audit` says of pip-audit's answers, and that `make sbom` checks what it wrote.

The tools are acted by scripts: no vulnerability service can be asked from a test.
"""

import json
from pathlib import Path

import pytest

from tests.audit import LOCKS, TREE, main, pinned, verdict

HOLE = {"id": "PYSEC-2026-1", "fix_versions": ["1.2"]}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text(
        "# a lock\nalpha==1.0 \\\n    --hash=sha256:00\n    # via beta\nbeta==2.0 \\\n    --hash=sha256:11\n"
    )
    return path


def acted(folder: Path, name: str, script: str) -> Path:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return folder


def answered(*dependencies: dict[str, object]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


CLEAN = [{"name": "alpha", "version": "1.0", "vulns": []}, {"name": "beta", "version": "2.0", "vulns": []}]


def test_all_that_a_garage_installs_is_asked_about() -> None:
    for name in LOCKS:
        assert {"aiohttp", "cryptography", "amqtt"} <= pinned(TREE / name).keys()


def test_it_is_well_only_if_each_package_was_asked_about(lock: Path) -> None:
    assert verdict(lock, answered(*CLEAN), "") == (0, ["requirements.lock: none of 2 packages has a known hole"])
    status, lines = verdict(lock, answered(CLEAN[0], {"name": "beta", "skip_reason": "not found"}), "")
    assert (status, lines) == (
        2, ["requirements.lock: not audited: nobody here tells of 1 of 2 packages (beta)"]
    )  # fmt: skip
    assert verdict(lock, answered(CLEAN[0]), "")[0] == 2


def test_a_hole_is_named_with_what_mends_it_also_where_others_were_not_asked_about(lock: Path) -> None:
    found = answered({**CLEAN[0], "vulns": [HOLE]}, {"name": "beta", "skip_reason": "not found"})
    status, lines = verdict(lock, found, "")
    assert status == 1
    assert lines[0] == "requirements.lock: alpha 1.0: PYSEC-2026-1, mended in 1.2"
    assert "not audited" in lines[1]


def test_where_no_service_answers_it_says_so_with_another_status(
    lock: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = acted(tmp_path, "pip-audit", "echo 'ConnectionError: no such host' >&2; exit 1")
    assert main([str(lock)], folder) == 2
    assert capsys.readouterr().out == (
        "requirements.lock: not audited: no vulnerability service answers (ConnectionError: no such host)\n"
    )


def test_pip_audit_s_own_no_known_vulnerabilities_is_not_believed(
    lock: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it ends where a mirror of packages answers, which knows of no holes."""
    said = answered(*({"name": name, "skip_reason": "not found"} for name in ("alpha", "beta")))
    folder = acted(
        tmp_path, "pip-audit", f"echo 'No known vulnerabilities found' >&2\ncat <<'END'\n{said}\nEND\nexit 0"
    )
    assert main([str(lock)], folder) == 2
    assert "2 of 2 packages" in capsys.readouterr().out


@pytest.mark.parametrize(("beta", "status"), [("2.0", 0), ("2.1", 1)])
def test_a_list_that_is_not_the_lock_s_is_refused(
    lock: Path, tmp_path: Path, beta: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    hashes = [{"hashes": [{"alg": "SHA-256", "content": "00"}]}]
    parts = [{"name": name, "version": version, "externalReferences": hashes} for name, version in
             (("alpha", "1.0"), ("beta", beta))]  # fmt: skip
    made = json.dumps({"specVersion": "1.6", "components": parts})
    script = f"for last; do :; done\ncat > \"$last\" <<'END'\n{made}\nEND"
    assert main(["--sbom", str(tmp_path / "sbom.json"), str(lock)], acted(tmp_path, "cyclonedx-py", script)) == status
    said = capsys.readouterr()
    assert ("2 packages" in said.out) if status == 0 else ("does not name" in said.err)
