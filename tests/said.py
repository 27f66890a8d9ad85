"""What the rules say to people, as a line each: tests/said.txt holds them all, and nothing else may be said."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from terminal.core.actions import Action, ClearAlert, PublishRefund, RaiseAlert, SendReceipt

if TYPE_CHECKING:
    from tests.support.story import Story

SAID = Path(__file__).with_name("said.txt")


ELSEWHERE = (
    "alert boom-stuck critical | exit-1 stay | the arm does not rise; the lane takes no new orders",
    "alert help warning once | exit-1 stay order | a driver needs help: unpaid",
    "alert lift-unknown critical once | the garage stay order | a part was given back: a person must decide about the"
    " rest",
    "alert bad-fee warning once | exit-1 stay | the fee of a lost ticket names a stay that is already known",
    "alert help warning once | exit-1 stay order | a driver needs help: ticket-used",
    "alert help warning once | exit-1 stay | a driver needs help: ticket-used",
    "alert journal-behind critical once | exit-1 | a barrier names a lift of ours that the journal lacks: an older"
    " journal was put back; a person must decide",
    "alert payment-doubtful critical once | the garage stay order | paid, and the journal that was put back does not"
    " show what came of it: a person must decide",
    "alert lift-unknown critical once | exit-1 stay order | paid, and the arm was told to rise but was not seen to: a"
    " person must decide",
    "alert lift-unknown critical once | exit-1 stay order | the boom may have risen for a payment that has since passed"
    " on (now: lift)",
    "alert raised-late critical once | exit-1 stay order | the boom had risen for a payment that has since passed on"
    " (now: lift)",
    "alert tailgating warning once | exit-1 stay order | an unpaid vehicle left under another vehicle's raise",
    "alert tailgating warning once | exit-1 stay | an unpaid vehicle left under another vehicle's raise",
    "alert pass-twice warning once | exit-1 stay | a pass was read for two cars that were in the garage at the same"
    " time",
    "alert ticket-refused info once | exit-1 | a ticket was refused: pass-used",
    "alert scanned-unpaid info once | exit-1 stay order | a phone read the code, and nobody paid: +971-58*92",
    "alert scanned-unpaid info once | exit-1 stay order | a phone read the code, and nobody paid: PayBy does not say"
    " whose",
    "alert ticket-refused info once | exit-1 | a ticket was refused: refused",
    "alert ticket-refused info once | exit-1 | a ticket was refused: ticket-foreign",
    "clear boom-stuck | exit-1 | the arm was seen up",
    "clear payby-silent | exit-1 | PayBy answers again",
    "reply refused | a part of that payment was given back",
    "reply refused | currency or amount cannot be ours",
    "reply refused | it is revoked",
)
"""Said in situations that tests/states.py takes for others that it has seen."""
_FREE = (
    (r"(PayBy refused |PayBy does not answer \(|do not match the order: |reply refused \| payeeMid)[^|]*", r"\1…"),
    (r"(alert bad-fee warning once \| \S+ \| )(?!None)[^|]*", r"\1…"),
    (r"(refund \w+ \| )(?!None|worker)\w+ \| (?!None)\w+", r"\1omar | operator"),
    (r"(a refund was asked for: )(complaint|overcharged)", r"\1operator"),
    (r"(does not know what came of it: ).*", r"\1…"),
    (r"-?\d+", "0"),
)


def known_lines() -> frozenset[str]:
    """What may be said, whatever the lane, the numbers, PayBy's own words and an operator's are."""
    return frozenset(map(in_general, (*SAID.read_text().splitlines(), *ELSEWHERE)))


def in_general(said: str) -> str:
    for free, always in _FREE:
        said = re.sub(free, always, said)
    return said


def line(action: Action, story: "Story") -> str:
    """What is said, with the names of what it is about."""
    match action:
        case RaiseAlert(code, severity, text, lane, session, order_no, once):
            stay = story.garage.stays.get(session or "")
            order = order_no and ("order" if stay and stay.order(order_no) else "an order of no stay")
            about = [lane or "the garage", "stay" if stay else "", order or ""]
            return f"alert {code} {severity}{' once' * once} | {' '.join(filter(None, about))} | {text}"
        case ClearAlert(code, text, lane):
            return f"clear {code} | {lane or 'the garage'} | {text}"
        case SendReceipt(outcome, why):
            return f"reply {outcome} | {why}"
        case PublishRefund(refund):
            return f"refund {refund.stage} | {refund.by} | {refund.reason} | {refund.amount}"
