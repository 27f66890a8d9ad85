"""A strict look-alike of PayBy, written from its API page: for tests, demonstrations and integrators.

``server.Sandbox`` is the whole of it; ``serve`` runs it as a command.
"""

from .desk import Call
from .faults import Fault, NotifyFault
from .notify import Delivery
from .nouns import Order, Refund
from .serve import serve
from .server import Sandbox

__all__ = ["Call", "Delivery", "Fault", "NotifyFault", "Order", "Refund", "Sandbox", "serve"]
