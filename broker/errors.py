"""Why the embedded broker cannot be opened."""


class BrokerError(Exception):
    """
    A broker that cannot be opened; the text says what to change.

    BrokerError
    ├── PortInUse
    ├── BadUsers        a user's password file, or their folder, will not do
    └── UnsafeBroker    it would let somebody in, or say something, that it must not
    """


class PortInUse(BrokerError):
    """Somebody listens there already."""


class BadUsers(BrokerError):
    """A user's password file, or their folder, will not do."""


class UnsafeBroker(BrokerError):
    """The self-test at the start got through where it must not."""
