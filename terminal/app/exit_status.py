"""Which errors end a command with one line, and with which exit status."""

from terminal.config.schema import ConfigError


def set_right() -> tuple[type[Exception], ...]:
    """The errors that no repetition mends: exit status 2. Asked for when there is one, so that a role without a journal
    imports no SQLite."""
    from broker.errors import BrokerError
    from drivers.pin_errors import NoGpio
    from terminal.contract.signatures import BadKeyFile
    from terminal.journal.rows import JournalForeign, JournalLocked
    from terminal.mqtt.errors import MqttError
    from terminal.payby.errors import BadKey

    return BadKey, BrokerError, MqttError, ConfigError, JournalForeign, JournalLocked, NoGpio, BadKeyFile


def failed() -> tuple[type[Exception], ...]:
    """The errors of a program that was started rightly: exit status 1."""
    from terminal.journal.rows import JournalError
    from terminal.mqtt.presence import SecondWorker

    return JournalError, SecondWorker


def in_a_line() -> tuple[type[BaseException], ...]:
    """Whatever a command may end with that becomes one line on stderr."""
    return BaseExceptionGroup, *set_right(), *failed()
