"""What is said once: alerts, their end, and a refund's progress."""

from terminal.contract.topics import GARAGE_WIDE
from terminal.core import numbers
from terminal.core.actions import Action, Alert, Clear, Reply, TellRefund
from terminal.link import Link
from terminal.roles.worker.speaking import Voice


async def tell(link: Link, voice: Voice, action: Action) -> None:
    """Say it on the topic of its lane, or of the garage."""
    match action:
        case Alert(code, severity, text, lane, session, order_no, once, help_code):
            help_code = help_code or (numbers.help_code(session) if session else None)
            await link.alert(
                code,
                severity,
                text,
                lane=lane or GARAGE_WIDE,
                session=session,
                order_no=order_no,
                help_code=help_code,
                once=once,
            )
        case Clear(code, text, lane):
            await link.clear(code, text, lane=lane or GARAGE_WIDE)
        case TellRefund(refund):
            name = numbers.parse_order_no(refund.order_no)
            await link.say(voice.refund(link.head(), refund), lane=name.lane if name else GARAGE_WIDE)
        case Reply():
            pass  # answered by whoever asked
