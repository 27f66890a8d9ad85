"""`check` on the file of those who may sign in at the desk."""

import os
from pathlib import Path

import pytest

from terminal.config.load import load
from terminal.config.schema import Settings
from terminal.config.users import FILE, FOLDER, UserRole, UsersFile
from terminal.tools.check.desk_users import desk_users
from terminal.tools.check.finding import Finding
from tests.support.installation import machine

PASSWORD = "correct horse battery"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "exit.toml"
    file.write_text('[garage]\nid = "marina"\n[console]\nport = 0\n', encoding="utf-8")
    return load(file, {})


def people(folder: Path, *roles: UserRole) -> Path:
    """The file, with somebody in each role."""
    users = UsersFile(folder / FOLDER / FILE)
    for number, role in enumerate(roles):
        users.add(f"user{number}", role, PASSWORD, day="2026-12-01")
    return users.path


async def found(settings: Settings, place: Path) -> list[Finding]:
    return [finding async for finding in desk_users(settings, machine(place))]


async def test_a_desk_with_a_manager_is_well_and_its_people_are_counted(settings: Settings, tmp_path: Path) -> None:
    path = people(tmp_path, "view", "attendant", "attendant", "manager")
    (finding,) = await found(settings, tmp_path)
    assert str(finding) == f"ok    desk users: {path}: 1 view, 2 attendant, 1 manager"
    assert (finding.outcome, finding.key) == ("proved", "console.folder")


@pytest.mark.parametrize(
    ("roles", "who"), [(("attendant",), "1 attendant"), (("view", "attendant"), "1 view, 1 attendant")]
)
async def test_without_a_manager_it_warns_and_says_how_one_is_added(
    settings: Settings, tmp_path: Path, roles: tuple[UserRole, ...], who: str
) -> None:
    people(tmp_path, *roles)
    (finding,) = await found(settings, tmp_path)
    assert (finding.ok, finding.outcome) == (True, "warning")
    assert f"{who}, and no manager: nobody may decide about money" in finding.text
    assert finding.advice == "exit-terminal user add NAME --role manager"


async def test_whose_last_user_was_removed_has_nobody(settings: Settings, tmp_path: Path) -> None:
    path = people(tmp_path, "manager")
    UsersFile(path).remove("user0")
    (finding,) = await found(settings, tmp_path)
    assert (finding.outcome, "nobody, and no manager" in finding.text) == ("warning", True)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o666])
async def test_a_file_that_others_may_read_fails(settings: Settings, tmp_path: Path, mode: int) -> None:
    path = people(tmp_path, "manager")
    path.chmod(mode)
    (finding,) = await found(settings, tmp_path)
    said = f"FAIL  desk users: {path}: others may read it (mode {mode:o}): nobody can sign in"
    assert str(finding) == f"{said} -> close it to them: chmod o= {path}"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"users": 1}', '{"users": [{"name": "a"}]}', "\x00\xff", "x" * (1024 * 1024 + 1)]
)
async def test_a_damaged_file_fails_and_nothing_of_it_is_said(settings: Settings, tmp_path: Path, text: str) -> None:
    path = people(tmp_path, "manager")
    secret = path.read_text(encoding="utf-8").partition("$argon2id$")[2][:20]
    path.write_text(text + (secret if text == "{" else ""), encoding="utf-8")
    (finding,) = await found(settings, tmp_path)
    assert (finding.ok, finding.text) == (False, f"{path}: damaged: nobody can sign in")
    assert finding.advice.startswith("put a copy back, or remove the file and add the users anew: exit-terminal user")
    assert secret not in str(finding)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
async def test_a_file_of_somebody_else_fails(settings: Settings, tmp_path: Path) -> None:
    people(tmp_path, "manager").chmod(0)
    (finding,) = await found(settings, tmp_path)
    assert (finding.ok, finding.advice) == (False, "give the file to the service's user")


async def test_where_nobody_was_added_or_no_desk_is_it_says_nothing(settings: Settings, tmp_path: Path) -> None:
    assert await found(settings, tmp_path) == []
    people(tmp_path, "manager")
    (tmp_path / "other.toml").write_text('[garage]\nid = "marina"\n', encoding="utf-8")
    assert await found(load(tmp_path / "other.toml", {}), tmp_path) == []
