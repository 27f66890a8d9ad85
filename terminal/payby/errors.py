"""Everything that can go wrong with PayBy, as classes that say what to do next.

::

    PayByError
    ├── BadKey                a key file cannot be used
    ├── BadRequest            our parameters break PayBy's limits; nothing was sent
    ├── BadSignature          PayBy did not sign these bytes: absent, malformed or wrong
    ├── BadWords              PayBy's bytes are not what its API page says
    └── CallFailed            a call ended without a signed success: call, code, msg, trace_code
        ├── OutcomeUnknown    no answer that counts (time-out, HTML, unsigned, 404, 500, 504): look it up; .hint, .said
        ├── NotSent           nothing left this machine: the rate limit held it back too long
        ├── RateLimited       402: not done; slow down, then repeat
        ├── ClockWrong        400 REQUESTTIME_*: not done; our clock is wrong
        ├── Unauthorised      403, 58…, 62019, 62026, 62086, status ERROR: out of order, tell the operator
        ├── OurMistake        400, 62008, 62016, …: a bug or a wrong setting; never repeat it
        ├── Refused           601: PayBy's risk control refused; call the attendant
        ├── OrderPaid         62001, 62003: it is paid; believe it after a look-up
        ├── OrderDead         62002: closed; a new order needs a new number
        ├── OrderUnknown      62004, 62035: PayBy has no such order
        ├── RevokeFailed      62039: repeat the revocation
        ├── RevokeRejected    62046, 62041: it will not be revoked; a person decides
        ├── RefundUnknown     62007: PayBy has no such refund
        ├── RefundKnown       62017: this refund number is taken: look the refund up
        ├── RefundRejected    62006, 62015, 62030, 62040, 62041, 62045: this refund will not be made
        ├── TokenUnknown      62082: PayBy has no such code to scan, or no longer
        └── NoStatement       62013, 62014: the statement is not there (yet)

An answer counts only with PayBy's signature. An unsigned one decides nothing; it is kept as ``hint`` of OutcomeUnknown.
Some codes come from PayBy's gateway, which signs nothing: these are also in ``said``, and asking the same again after
them is useless. A signed code that no page of PayBy's names is OutcomeUnknown too. No error contains a key, a signature
or a request body.
"""

from types import MappingProxyType

from .plain_text import plain

_CODE = 64
"""How many characters of a code are kept; PayBy's have five."""


class PayByError(Exception):
    """The root: catch this to catch every error of this library."""


class BadKey(PayByError):
    """A key file cannot be used; the text names the file and what is wrong, never its content."""


class BadRequest(PayByError):
    """A parameter breaks a limit of PayBy's page; nothing was sent. The text names the field."""


class BadSignature(PayByError):
    """PayBy did not sign these bytes. ``why`` is ``absent``, ``malformed`` or ``wrong``."""

    def __init__(self, why: str) -> None:
        super().__init__(f"signature {why}")
        self.why = why


class BadWords(PayByError):
    """PayBy's bytes are not what its page says; the text names the field and repeats none of them."""

    def __init__(self, text: str) -> None:
        super().__init__(plain(text))


class CallFailed(PayByError):
    """A call did not end with a signed success.

    ``call`` is the path below the base; ``code`` and ``msg`` are PayBy's (empty if there was no readable answer);
    ``trace_code`` is what PayBy's support asks for; ``why`` is ours. All of them are made ``plain``, because an answer
    may be unsigned and its words end up in logs, alerts and the journal.
    """

    def __init__(self, call: str, code: str = "", msg: str = "", trace_code: str = "", why: str = "") -> None:
        code, msg, trace_code, why = plain(code, _CODE), plain(msg), plain(trace_code, _CODE), plain(why)
        super().__init__(call, code, msg, trace_code, why)
        self.call = call
        self.code = code
        self.msg = msg
        self.trace_code = trace_code
        self.why = why

    def __str__(self) -> str:
        said = " ".join(part for part in (self.code, self.msg) if part)
        trace = f"trace {self.trace_code}" if self.trace_code else ""
        return f"{self.call}: " + ", ".join(part for part in (said, self.why, trace) if part)


class OutcomeUnknown(CallFailed):
    """No answer that counts: PayBy may or may not have done it. Look the order up before anything else.

    ``hint`` is the error that an unsigned answer claims; None if there was none.
    """

    hint: CallFailed | None = None

    @property
    def said(self) -> CallFailed | None:
        """The hint, if PayBy's gateway gives such an answer, which it never signs: it proves nothing about an order,
        but decides what is asked next and what a person is told."""
        return self.hint if self.hint and (unsigned(self.hint.code) or isinstance(self.hint, Unauthorised)) else None

    def hinting(self, hint: CallFailed) -> "OutcomeUnknown":
        """Return this error with the claim of an unsigned answer."""
        self.hint = hint
        return self

    def __str__(self) -> str:
        return super().__str__() + (f" (unsigned: {self.hint.code} {self.hint.msg})" if self.hint else "")


class NotSent(CallFailed):
    """Nothing left this machine: the call waited for the rate limit as long as it may. Repeat it later."""


class RateLimited(CallFailed):
    """Not done: too many calls. Slow down, then repeat."""


class ClockWrong(CallFailed):
    """Not done: our time is more than 15 minutes from PayBy's, and correcting it did not help."""


class Unauthorised(CallFailed):
    """Not done: PayBy does not know our key, address or product. Out of order; tell the operator."""


class OurMistake(CallFailed):
    """Not done: a parameter is wrong. A bug or a wrong setting; repeating it changes nothing."""


class Refused(CallFailed):
    """Not done: PayBy's risk control refused. Tell the driver, call the attendant."""


class OrderPaid(CallFailed):
    """Not done: the order is paid or settled. Look it up for the proof, then treat it as paid."""


class OrderDead(CallFailed):
    """Not done: the order failed, was cancelled or expired. A new order needs a new number."""


class OrderUnknown(CallFailed):
    """PayBy has no such order: a placeOrder under this number never arrived."""


class RevokeFailed(CallFailed):
    """Not revoked, by PayBy's own failure: repeat it."""


class RevokeRejected(CallFailed):
    """Not revoked, and it will not be: a person decides."""


class RefundUnknown(CallFailed):
    """PayBy has no such refund: a refund under this number never arrived."""


class RefundKnown(CallFailed):
    """This refund number is taken, perhaps by our own earlier try: look the refund up."""


class RefundRejected(CallFailed):
    """This refund will not be made: too much, not paid, revoked, already refunded, or refused."""


class TokenUnknown(CallFailed):
    """PayBy has no such code to scan, or no longer."""


class NoStatement(CallFailed):
    """There is no statement for this day, or not yet."""


_OF_OTHER_PRODUCTS = (
    *range(62031, 62035),
    62038,
    *range(62042, 62045),
    *range(62047, 62074),
    *range(62078, 62082),
    *range(62083, 62086),
    62087,
    62088,
)

CODES: MappingProxyType[str, type[CallFailed]] = MappingProxyType(
    dict.fromkeys(("404", "500", "504"), OutcomeUnknown)
    | {"402": RateLimited, "601": Refused}
    | dict.fromkeys(("403", "62019", "62026", "62086"), Unauthorised)
    | dict.fromkeys(map(str, _OF_OTHER_PRODUCTS), OurMistake)  # parameters that we never send: cards, sharing, …
    | dict.fromkeys(("400", "62008", "62009", "62012", "62016", "62018", "62020", "62036", "62037"), OurMistake)
    | dict.fromkeys(("62089", "71002", "71003"), OurMistake)  # the last two: the dates of a list of refunds
    | {"62082": TokenUnknown}
    | dict.fromkeys(("62001", "62003"), OrderPaid)
    | {"62002": OrderDead}
    | dict.fromkeys(("62004", "62035"), OrderUnknown)
    | {"62039": RevokeFailed, "62046": RevokeRejected, "62007": RefundUnknown, "62017": RefundKnown}
    | dict.fromkeys(("62006", "62015", "62030", "62040", "62041", "62045"), RefundRejected)
    | dict.fromkeys(("62013", "62014"), NoStatement)
)
"""PayBy's codes; ``failure`` adds the rules that need more than the code."""

_GATEWAYS = frozenset(("400", "402", "403", "404", "500", "504", "601"))
_REFUSES_US = "58"  # codes that begin with it are about our key, address or account


def unsigned(code: str) -> bool:
    """Does PayBy's gateway give this code itself, without a signature?"""
    return code in _GATEWAYS or code.startswith(_REFUSES_US)


def failure(call: str, apply_status: str, code: str, msg: str, trace_code: str = "") -> CallFailed:
    """The error that an answer's head names. It decides something only if the answer was signed."""
    if apply_status == "ERROR":  # PayBy could not verify our signature, whatever the code
        return Unauthorised(call, code, msg, trace_code, "PayBy could not verify our signature")
    if code == "400" and msg.startswith("REQUESTTIME_"):
        return ClockWrong(call, code, msg, trace_code)
    if code == "62041" and call.endswith("/revokeOrder"):  # already refunded; for a refund this code means a refusal
        return RevokeRejected(call, code, msg, trace_code)
    if code.startswith(_REFUSES_US):
        return Unauthorised(call, code, msg, trace_code, "PayBy's gateway refuses us")
    if code in CODES:
        return CODES[code](call, code, msg, trace_code)
    return OutcomeUnknown(call, code, msg, trace_code, f"applyStatus {apply_status} with a code that no page names")
