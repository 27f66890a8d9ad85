"""The password files of the embedded broker, looked at before it opens: `check` and `run` say the same of them."""

from collections.abc import Iterable
from pathlib import Path

from terminal.config.file_errors import ConfigFileError
from terminal.config.load import read_secret
from terminal.config.schema import BrokerSettings, ConfigError, MqttSettings


def check_user_files(broker: BrokerSettings, names: Iterable[str], own: Path | None = None) -> None:
    """Raise ConfigError for the first file that the broker would refuse; those that are absent it makes. ``own`` is
    left to `check_own_password`."""
    key, folder = "broker.users", broker.users
    if folder.exists() and not folder.is_dir():
        raise ConfigFileError(key, f"{folder} is no folder", f"correct {key}")
    for path in (folder / name for name in names):
        if path != own and path.exists():
            read_secret(path, key)


def check_own_password(broker: BrokerSettings, mqtt: MqttSettings, names: Iterable[str]) -> None:
    """Raise ConfigError if the broker will have another password for this machine's user than its own file."""
    theirs = broker.users / mqtt.username
    if mqtt.username not in names or mqtt.password_file == theirs or not _may_be_folder(broker.users):
        return  # or it is told elsewhere
    own = read_secret(mqtt.password_file, "mqtt.password_file")
    if not theirs.exists():
        text = f"the embedded broker makes {theirs}, with another password"
    elif read_secret(theirs, "broker.users") != own:
        text = f"another password than {theirs}, where the embedded broker has it"
    else:
        return
    raise ConfigError(f"mqtt.password_file: {text}", f'password_file = "{theirs}" is the one to name')


def _may_be_folder(path: Path) -> bool:
    return path.is_dir() or not path.exists()
