"""One TOML file and the environment -> frozen settings, every key checked, or one line that says what is wrong.

`schema.py` lists the keys. Secrets are paths; `read_secret` reads their bytes where they are used, and no
error of this file repeats the value of a key that could hold one.
"""

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from terminal.config import toml_faults
from terminal.config.coupon_settings import CouponSettings
from terminal.config.error_text import got, named
from terminal.config.file_errors import ConfigFileError
from terminal.config.lcd_settings import CLOCKS
from terminal.config.schema import (
    SECTIONS,
    ConfigError,
    Settings,
    TicketSettings,
    first_key,
    hints,
    takes,
)
from terminal.config.together import check_together, check_zone

PREFIX = "EXIT_TERMINAL_"
CONFIG_VARIABLE = PREFIX + "CONFIG"
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what a unit's LoadCredential= names: systemd.exec(5)."""
_LARGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Places:
    """Where the paths of a configuration lead: to its folder, or to a credential of the service.

    A unit with ``LoadCredential=secrets:/…/secrets`` hands each file of that folder to the service under a name whose
    slashes are underlines: ``secrets/mqtt/lane`` is ``secrets_mqtt_lane``. The folder itself may then be root's.
    """

    folder: Path
    credentials: str = ""

    def of(self, name: str) -> Path:
        """The path that a value names."""
        if self.credentials and not name.startswith("/"):
            lent = Path(self.credentials) / name.replace("/", "_")
            with suppress(PermissionError):  # where it was lent to somebody else, the file's own path is to be said
                if lent.is_file():
                    return lent
        return self.folder / name


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the file (or the one that EXIT_TERMINAL_CONFIG names) and lay the environment's values over it.

    Raises ConfigError for anything unknown, ill-typed or out of range, whichever role will run; what a role lacks
    is found by `Settings.require`.
    """
    path = file_of(path, environ)
    overrides = dict(_overrides(environ))
    if path is None and not overrides:
        raise ConfigError(f"no configuration: give --config FILE, or set {CONFIG_VARIABLE}")
    base = Places(Path(os.path.abspath(path)).parent if path else Path.cwd(), environ.get(CREDENTIALS_VARIABLE, ""))
    given = _given(_read_tables(path) if path else {}, base)
    for (name, key), (variable, text) in overrides.items():
        readings = _readings(text)
        given.setdefault(name, {})[key] = _value(name, key, readings, base, said_by=variable)
    return _settle(given, path)


def file_of(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration's file: the one that is given, or the one that EXIT_TERMINAL_CONFIG names."""
    return path or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)


def parse(text: str, path: Path) -> Settings:
    """The settings that `load` returns for a file with that text; raises ConfigError."""
    return _settle(_given(_tables(text.encode(), path), Places(path.parent)), path)


def _given(tables: Mapping[str, Any], base: Places) -> dict[str, dict[str, Any]]:
    given: dict[str, dict[str, Any]] = {}
    for name, table in tables.items():
        if name not in SECTIONS:
            raise ConfigError(f"{named(name)}: no such section; there are {', '.join(SECTIONS)}")
        if not isinstance(table, dict):
            raise ConfigError(f"{name}: got {got(table)}, takes a section: [{name}]")
        given[name] = {key: _value(name, key, (value,), base) for key, value in table.items()}
    return given


def _settle(given: dict[str, dict[str, Any]], path: Path | None) -> Settings:
    built: dict[str, Any] = {}
    absent: dict[str, str] = {}
    for name, values in given.items():
        if name == "payby" and not values.get("payee_mid") and "partner_id" in values:
            values["payee_mid"] = values["partner_id"]
        if name == "tariff":
            _choose_form(values)
        if name == "journal" and not (values.get("path") or values.get("url")):
            absent[name] = "journal.path"
            continue
        try:
            built[name] = SECTIONS[name](**values)
        except TypeError:  # msgspec's word for a missing field
            absent[name] = first_key(SECTIONS[name], values)
    settings = Settings(**built, file=path, absent=absent)
    check_together(settings)
    return settings


def _choose_form(values: dict[str, Any]) -> None:
    """A tariff of rates takes no default from the plain form; raises ConfigError if it names both forms."""
    if values.get("rate"):
        for key in ("block_minutes", "block_price"):
            if key in values:
                raise ConfigError(f"tariff.{key}: got it beside tariff.rate, takes one of the two forms")
        values.setdefault("free_minutes", 0)
        values.setdefault("day_cap", "")


def checked(key: str, text: str) -> Any:
    """The value that a key, such as ``garage.id``, takes from a text that a person wrote; raises ConfigError."""
    section, _, name = key.partition(".")
    readings = (text, int(text)) if text.isascii() and text.isdecimal() else (text,)
    value = _value(section, name, readings, Places(Path.cwd()))
    if key == "garage.timezone":
        check_zone(text)
    return value


# --- one value ------------------------------------------------------------------------------------------------


def _value(section: str, key: str, readings: tuple[Any, ...], base: Places, *, said_by: str = "") -> Any:
    """Convert the first of the readings that the key takes; raises ConfigError where it takes none."""
    known = hints(SECTIONS[section])
    shown = f"{section}.{named(key)}"
    shown = f"{named(said_by)} ({shown})" if said_by else shown
    if key not in known:
        raise ConfigError(f"{shown}: no such key; [{section}] takes {', '.join(known)}")
    hint = known[key]
    if readings == ("",) and _may_be_empty(section, key):
        return "" if key == "payee_mid" else None

    def to_path(kind: type[Any], value: object) -> Path:
        if kind is Path and isinstance(value, str) and value and not re.search(r"[\x00-\x1f]|-----BEGIN", value):
            return base.of(value)
        raise ValueError

    for value in readings:
        try:
            converted = msgspec.convert(value, hint, dec_hook=to_path)
            if key == "speed_hz" and converted not in CLOCKS:
                raise msgspec.ValidationError
        except msgspec.ValidationError:
            continue
        return converted
    first = readings[0]
    if (section, key) == ("mqtt", "url"):
        raise ConfigError(f"{shown}: got {got(first)}, takes {takes(hint)}, without a user")
    raise ConfigError(f"{shown}: got {got(first, quiet=_may_be_secret(hint))}, takes {takes(hint)}")


def _may_be_empty(section: str, key: str) -> bool:
    return (section, key) in {
        ("mqtt", "ca_file"),
        ("mqtt", "cert_file"),
        ("mqtt", "key_file"),
        ("lookup", "url"),
        ("lookup", "token_file"),
        ("lookup", "ca_file"),
        ("console", "metrics_token_file"),
        ("alerts", "webhook_url"),
        ("alerts", "webhook_url_file"),
        ("alerts", "webhook_key_file"),
        ("alerts", "email_from"),
        ("alerts", "smtp_url"),
        ("alerts", "smtp_username"),
        ("alerts", "smtp_password_file"),
        ("alerts", "ca_file"),
        ("payby", "payee_mid"),
        ("payby", "notify_url"),
        ("receipt", "supplier_ar"),
        ("receipt", "address_ar"),
        ("receipt", "url"),
        ("lcd", "idle_picture"),
        ("lcd", "wifi_password_file"),
    }


def _may_be_secret(hint: Any) -> bool:
    """Whether the value may be a secret by mistake: for every path, and for a URL."""
    text = str(hint)
    return "pathlib." in text or "://" in text


# --- where values come from -----------------------------------------------------------------------------------


def _read_tables(path: Path) -> dict[str, Any]:
    return _tables(_read(path, "configuration"), path)


def _tables(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8")  # some editors write a mark before the text
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line} is not UTF-8; save the file as UTF-8") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {toml_faults.said(text, error)}") from None
    except ValueError:  # Python's limit on the digits of an int
        raise ConfigError(f"{path}: a number of very many digits, takes none of more than a few") from None
    except RecursionError:
        raise ConfigError(f"{path}: lists in lists without end, takes none deeper than a few") from None


def _overrides(environ: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
            continue
        section, _, key = variable.removeprefix(PREFIX).partition("_")
        if variable != variable.upper() or section.lower() not in SECTIONS or not key:
            raise ConfigError(
                f"{named(variable)}: no such setting; takes {CONFIG_VARIABLE} or {PREFIX}<SECTION>_<KEY>,"
                f" sections {', '.join(SECTIONS)}"
            )
        if not _is_text(variable + text):
            raise ConfigError(f"{named(variable)}: got bytes that are not UTF-8, takes a text")
        yield (section.lower(), key.lower()), (variable, text)


def _is_text(text: str) -> bool:
    """An environment holds bytes; those that are no UTF-8 come as half characters, which no file can be named by."""
    return not re.search("[\ud800-\udfff]", text)


def _readings(text: str) -> tuple[Any, ...]:
    """A variable's value as TOML, if it is that, and as plain text."""
    try:
        document = tomllib.loads("value = " + text)
    except (ValueError, RecursionError):  # no TOML, or more digits or lists in it than any key takes
        return (text,)
    return (document["value"], text) if list(document) == ["value"] else (text,)


def _read(path: Path, key: str, *, private: bool = False) -> bytes:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if private and status.st_mode & 0o007:
                mode = stat.S_IMODE(status.st_mode)
                closes = f"close it to them: chmod o= {path}"
                raise ConfigFileError(key, f"others may read {path} (mode {mode:o})", closes)
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        given = f"give it to the service's user: sudo chown USER {path}" if isinstance(error, PermissionError) else ""
        raise ConfigFileError(key, f"cannot read {path}: {reason}", given) from None
    if len(raw) > _LARGEST:
        raise ConfigFileError(key, f"{path} is larger than 64 KiB")
    return raw


def read_file(path: Path, key: str) -> bytes:
    """The bytes of a file that holds no secret; raises ConfigError, which names `key`, if it cannot be read."""
    return _read(path, key)


def read_secret(path: Path, key: str = "secret") -> bytes:
    """The bytes of a private key, password or ticket key, without one trailing newline.

    Raises ConfigError, which names `key` and the path and never the content, where the file is absent, empty, or
    open to others (``mode & 0o007``).
    """
    raw = _read(path, key, private=True)
    secret = raw.removesuffix(b"\r\n") if raw.endswith(b"\r\n") else raw.removesuffix(b"\n")
    if not secret:
        raise ConfigFileError(key, f"{path} is empty")
    return secret


def read_ticket_keys(ticket: TicketSettings | CouponSettings) -> dict[str, bytes]:
    """Each key by its id, in the file's order; raises ConfigError unless each is 32 bytes or more, as hex."""
    keys: dict[str, bytes] = {}
    section = ticket.section()
    for name, path in ticket.keys.items():
        key = f"{section}.keys.{name}"
        try:
            keys[name] = bytes.fromhex(read_secret(path, key).decode("ascii"))
        except ValueError:
            raise ConfigFileError(key, f"{path} is not hex") from None
        if len(keys[name]) < 32:
            raise ConfigFileError(key, f"{path} has {len(keys[name])} bytes, takes 32 or more, as hex")
    if len(set(keys.values())) < len(keys):
        raise ConfigError(f"{section}.keys: two ids have the same key; give each id its own, or leave one out")
    return keys
