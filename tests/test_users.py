"""Who may sign in at the desk: the users' file, and the command that keeps it."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from terminal.config.load import load
from terminal.config.schema import ConfigError, Settings
from terminal.config.users import FILE, BadUsersFile, UsersFile, folder_of, is_password_of
from terminal.tools.user import UserWish, run

DAY = "2026-11-30"
GOOD = "correct horse battery"


@pytest.fixture
def users(tmp_path: Path) -> UsersFile:
    return UsersFile(tmp_path / "console" / FILE)


def configured(folder: Path, more: str = "") -> Settings:
    (folder / "exit.toml").write_text(f'[garage]\nid = "marina"\n{more}', encoding="utf-8")
    return load(folder / "exit.toml", {})


def test_a_password_is_kept_as_an_argon2id_hash_that_others_cannot_read(users: UsersFile) -> None:
    users.add("amal", "manager", GOOD, day=DAY)
    text = users.path.read_text(encoding="utf-8")
    assert GOOD not in text
    assert json.loads(text)["users"][0]["password"].startswith("$argon2id$")
    assert stat.S_IMODE(users.path.stat().st_mode) == 0o600
    amal = users.users()["amal"]
    assert is_password_of(amal, GOOD)
    assert not is_password_of(amal, GOOD + "!")
    assert not is_password_of(None, GOOD)


def test_each_role_may_do_all_that_the_one_before_it_may(users: UsersFile) -> None:
    users.add("amal", "attendant", GOOD, day=DAY)
    amal = users.users()["amal"]
    assert [amal.may(role) for role in ("view", "attendant", "manager")] == [True, True, False]


def test_a_user_who_is_there_is_changed_only_on_purpose(users: UsersFile) -> None:
    users.add("amal", "view", GOOD, day=DAY)
    with pytest.raises(ConfigError, match="amal is there already; --replace"):
        users.add("amal", "manager", GOOD, day=DAY)
    assert users.users()["amal"].role == "view"
    users.add("amal", "manager", "another password", day=DAY, replace=True)
    assert users.users()["amal"].role == "manager"
    assert not is_password_of(users.users()["amal"], GOOD)


@pytest.mark.parametrize(
    ("name", "password", "why"),
    [
        ("", GOOD, "takes 1 to 32"),
        ("a b", GOOD, "takes 1 to 32"),
        ("a|b", GOOD, "takes 1 to 32"),
        ("x" * 33, GOOD, "takes 1 to 32"),
        ("amal", "short", "takes a password of 8 to 256"),
        ("amal", "with\nline end", "takes a password of 8 to 256"),
        ("amal", "x" * 257, "takes a password of 8 to 256"),
    ],
)
def test_what_no_user_may_be_is_refused(users: UsersFile, name: str, password: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as refused:
        users.add(name, "view", password, day=DAY)
    assert password not in str(refused.value)
    assert users.users() == {}


def test_two_who_add_at_once_lose_nobody(users: UsersFile) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: UsersFile(users.path).add(f"user{n}", "view", GOOD, day=DAY), range(6)))
    assert sorted(users.users()) == [f"user{n}" for n in range(6)]


def test_a_file_that_others_may_read_is_refused_with_what_to_do(users: UsersFile) -> None:
    users.add("amal", "view", GOOD, day=DAY)
    users.path.chmod(0o644)
    with pytest.raises(BadUsersFile, match=r"others may read it \(mode 644\); close it to them: chmod o= ") as refused:
        UsersFile(users.path).users()
    assert "argon2" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"users": 1}',
        '{"users": [{"name": "amal"}]}',
        '{"users": [{"name": "amal", "role": "king", "password": "$argon2id$x", "since": ""}]}',
        '{"users": [{"name": "amal", "role": "view", "password": "plain", "since": ""}]}',
        '{"users": [{"name": 3, "role": "view", "password": "$argon2id$x", "since": ""}]}',
        "[" * 5000,
    ],
)
def test_a_damaged_file_lets_nobody_in_and_says_what_to_do(users: UsersFile, text: str) -> None:
    users.path.parent.mkdir()
    users.path.write_text(text, encoding="utf-8")
    users.path.chmod(0o600)
    with pytest.raises(BadUsersFile, match="damaged: put a copy back, or remove the file"):
        users.users()


def test_a_changed_file_counts_at_once(users: UsersFile) -> None:
    users.add("amal", "view", GOOD, day=DAY)
    assert "amal" in users.users()
    assert UsersFile(users.path).remove("amal")
    assert users.users() == {}
    assert not users.remove("amal")


def test_a_hash_that_argon2_cannot_read_is_no_password(users: UsersFile) -> None:
    users.add("amal", "view", GOOD, day=DAY)
    users.path.write_text(users.path.read_text().replace("$argon2id$v=19$", "$argon2id$v=99$"))
    users.path.chmod(0o600)
    assert not is_password_of(UsersFile(users.path).users()["amal"], GOOD)


# The command


def test_the_folder_is_beside_the_configuration_or_where_it_says(tmp_path: Path) -> None:
    assert folder_of(configured(tmp_path)) == tmp_path / "console"
    assert folder_of(configured(tmp_path, '[console]\nfolder = "desk"\n')) == tmp_path / "desk"


def test_a_user_is_added_listed_and_removed(tmp_path: Path) -> None:
    settings, said, complaints = configured(tmp_path), list[str](), list[str]()

    def do(wish: UserWish, *passwords: str) -> int:
        answers = iter(passwords)
        return run(settings, wish, day=DAY, ask=lambda _: next(answers), say=said.append, complain=complaints.append)

    assert do(UserWish("list")) == 0
    assert do(UserWish("add", "amal", "manager"), GOOD, GOOD) == 0
    assert do(UserWish("list")) == 0
    assert do(UserWish("list", as_json=True)) == 0
    assert do(UserWish("remove", "amal")) == 0
    assert do(UserWish("remove", "amal")) == 1
    assert said[0].startswith("nobody may sign in yet")
    assert said[1] == "amal may sign in as manager"
    assert said[2].split() == ["amal", "manager", "since", DAY]
    assert json.loads(said[3]) == [{"name": "amal", "role": "manager", "since": DAY}]
    assert said[4] == "amal may no longer sign in"
    assert complaints == [f"user: there is no amal in {tmp_path / 'console' / FILE}"]
    assert GOOD not in "".join(said)


def test_a_password_may_come_from_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    settings, file = configured(tmp_path), tmp_path / "password"
    file.write_text(GOOD + "\n")
    wish = UserWish("add", "amal", password_file=file)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        run(settings, wish, day=DAY, ask=None, say=lambda _: None)
    file.chmod(0o600)
    assert run(settings, wish, day=DAY, ask=None, say=lambda _: None) == 0
    amal = UsersFile(tmp_path / "console" / FILE).users()["amal"]
    assert (amal.role, is_password_of(amal, GOOD)) == ("attendant", True)


def test_wrong_use_is_one_line_that_says_what_is_wrong(tmp_path: Path) -> None:
    settings = configured(tmp_path)
    answers = iter((GOOD, "another one"))
    with pytest.raises(ConfigError, match="the two passwords differ; nothing was changed"):
        run(settings, UserWish("add", "amal"), day=DAY, ask=lambda _: next(answers))
    with pytest.raises(ConfigError, match="run it from a terminal, or with --password-file"):
        run(settings, UserWish("add", "amal"), day=DAY, ask=None)
    with pytest.raises(ConfigError, match="a name is missing"):
        run(settings, UserWish("remove"), day=DAY, ask=None)
    with pytest.raises(ConfigError, match="user list: takes no name"):
        run(settings, UserWish("list", "amal"), day=DAY, ask=None)
    (tmp_path / "console").mkdir()
    (tmp_path / "console" / FILE).write_text("{")
    (tmp_path / "console" / FILE).chmod(0o600)
    with pytest.raises(ConfigError, match="damaged"):
        run(settings, UserWish("list"), day=DAY, ask=None)
