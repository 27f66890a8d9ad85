"""Faults on demand, for tests and for people who want to see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Signature = Literal["good", "wrong", "malformed", "absent"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One call's fate. Without ``done`` a fault that refuses or cuts does so before the call does anything.

    ``code`` and ``msg`` answer with that error. ``delay_s`` passes before the answer. ``drop`` ends the connection
    without an answer, ``half`` in the middle of it; ``html`` answers as a proxy's error page; ``edit`` overwrites
    fields of the answer's acquireOrder or refundOrder, before it is signed. ``sign`` None: signed where PayBy signs.
    """

    code: str | None = None
    msg: str = ""
    apply_status: str = "FAIL"
    http_status: int = 200
    delay_s: float = 0.0
    done: bool = False
    drop: bool = False
    half: bool = False
    html: bool = False
    sign: Signature | None = None
    edit: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prevents(self) -> bool:
        """The call does nothing on PayBy's side."""
        return not self.done and (self.code is not None or self.drop or self.html)


@dataclass(frozen=True, kw_only=True)
class NotifyFault:
    """One notification's fate: ``never`` sent, sent late, sent in several ``copies`` at once, with other fields."""

    never: bool = False
    delay_s: float = 0.0
    copies: int = 1
    sign: Signature = "good"
    edit: Mapping[str, Any] = field(default_factory=dict)


def spoil(signature: str, how: Signature) -> str | None:
    """The header ``sign`` as the fault wants it; None: no header."""
    match how:
        case "good":
            return signature
        case "wrong":
            return ("B" if signature[0] == "A" else "A") + signature[1:]
        case "malformed":
            return signature[:-3] + "!!!"
        case "absent":
            return None


class Faults:
    """The faults that wait for calls, by the call's name or ``*`` for any."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, Fault, int | None]] = []

    def add(self, call: str, fault: Fault, times: int | None) -> None:
        """``times`` None: until cleared."""
        self._waiting.append((call, fault, times))

    def clear(self, call: str | None = None) -> None:
        """Forget the faults of one call, or all."""
        self._waiting = [entry for entry in self._waiting if call is not None and entry[0] != call]

    def take(self, call: str) -> Fault | None:
        """Take the fate of this call."""
        for index, (name, fault, times) in enumerate(self._waiting):
            if name in (call, "*"):
                if times is not None:
                    self._waiting[index : index + 1] = [(name, fault, times - 1)] if times > 1 else []
                return fault
        return None
