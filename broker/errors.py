"""Why the embedded broker cannot be opened."""


class BrokerError(Exception):
    """
    The broker cannot be opened; the text says what to change.

    BrokerError
    ├── PortInUse
    ├── BadUsers        a user's password file, or the folder of these files, cannot be used
    └── UnsafeBroker    it would let in or pass on what it must not
    """


class PortInUse(BrokerError):
    """Another program already listens on that port."""


class BadUsers(BrokerError):
    """A user's password file, or the folder of these files, cannot be used."""


class UnsafeBroker(BrokerError):
    """The self-test at the start got through where it must not."""
