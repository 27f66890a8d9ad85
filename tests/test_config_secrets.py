"""Files that the configuration names and whose content is secret."""

from pathlib import Path

import pytest

from terminal.config.load import load, read_secret, read_ticket_keys
from terminal.config.schema import ConfigError, Settings


def secret(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "read_as"),
    [
        (b"word", b"word"),
        (b"word\n", b"word"),
        (b"word\n\n", b"word\n"),
        (b"word\r\n", b"word"),
        (b" word ", b" word "),
    ],
)
def test_one_trailing_newline_of_a_secret_is_dropped(tmp_path: Path, content: bytes, read_as: bytes) -> None:
    assert read_secret(secret(tmp_path / "s", content)) == read_as


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o644, 0o777])
def test_a_secret_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = secret(tmp_path / "s", b"hunter2", mode)
    with pytest.raises(ConfigError, match=rf"payby\.private_key: others may read .*mode {mode:o}") as refused:
        read_secret(path, "payby.private_key")
    assert "hunter2" not in str(refused.value)


def test_a_secret_may_be_read_by_its_group(tmp_path: Path) -> None:
    assert read_secret(secret(tmp_path / "s", b"word", 0o640)) == b"word"


def test_the_mode_that_counts_is_that_of_the_file_behind_a_link(tmp_path: Path) -> None:
    secret(tmp_path / "open", b"word", 0o644)
    (tmp_path / "link").symlink_to("open")
    with pytest.raises(ConfigError, match="others may read"):
        read_secret(tmp_path / "link")


def test_a_secret_that_is_absent_empty_a_folder_or_huge_is_refused_by_key(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "absent", "no such file"),
        (secret(tmp_path / "empty", b"\n"), "empty"),
        (tmp_path, "is a directory"),
        (secret(tmp_path / "huge", b"x" * 65_537), "larger than 64 KiB"),
    ):
        with pytest.raises(ConfigError, match=rf"^mqtt\.password_file: .*{reason}"):
            read_secret(path, "mqtt.password_file")


def keyed(tmp_path: Path, **keys: bytes) -> Settings:
    table = ", ".join(f'{name} = "{secret(tmp_path / name, content)}"' for name, content in keys.items())
    return load(None, {"EXIT_TERMINAL_TICKET_KEYS": f"{{ {table} }}"})


def test_ticket_keys_keep_the_file_s_order(tmp_path: Path) -> None:
    settings = keyed(tmp_path, z9=b"aa" * 32 + b"\n", a1=b"BB" * 40)
    assert settings.ticket
    assert list(read_ticket_keys(settings.ticket).items()) == [("z9", b"\xaa" * 32), ("a1", b"\xbb" * 40)]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"k1": b"aa" * 31}, r"ticket\.keys\.k1: .* has 31 bytes, takes 32 or more"),
        ({"k1": b"hunter2!" * 8}, r"ticket\.keys\.k1: .* is not hex"),
        ({"k1": "ä".encode() * 64}, r"ticket\.keys\.k1: .* is not hex"),
        ({"k1": b"aa" * 32, "k2": b"AA" * 32}, "two ids have the same key"),
    ],
)
def test_a_weak_or_malformed_ticket_key_is_refused(tmp_path: Path, keys: dict[str, bytes], reason: str) -> None:
    settings = keyed(tmp_path, **keys)
    assert settings.ticket
    with pytest.raises(ConfigError, match=reason) as refused:
        read_ticket_keys(settings.ticket)
    assert "hunter2" not in str(refused.value)
