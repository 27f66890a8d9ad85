"""Why the embedded broker cannot be opened."""


class BrokerError(Exception):
    """
    The broker cannot be opened; the text says what to change.

    BrokerError
    ├── PortInUse
    └── UnsafeBroker    it would let in or pass on what it must not
    """


class PortInUse(BrokerError):
    """Another program already listens on that port."""


class UnsafeBroker(BrokerError):
    """The self-test at the start got through where it must not."""
