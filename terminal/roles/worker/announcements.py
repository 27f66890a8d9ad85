"""What is said once: alerts, their end, and a refund's progress."""

from terminal.contract.topics import GARAGE_WIDE
from terminal.core import ids
from terminal.core.actions import Action, ClearAlert, PublishRefund, RaiseAlert, SendReceipt
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.worker.message_builder import MessageBuilder


async def tell(endpoint: Endpoint, builder: MessageBuilder, action: Action) -> None:
    """Say it on the topic of its lane, or of the garage."""
    match action:
        case RaiseAlert(code, severity, text, lane, session, order_no, once, help_code):
            help_code = help_code or (ids.help_code(session) if session else None)
            await endpoint.alert(
                code,
                text,
                severity=severity,
                once=once,
                lane=lane or GARAGE_WIDE,
                session=session,
                order_no=order_no,
                help_code=help_code,
            )
        case ClearAlert(code, text, lane):
            await endpoint.clear(code, text, lane=lane or GARAGE_WIDE)
        case PublishRefund(refund):
            name = ids.parse_order_no(refund.order_no)
            await endpoint.publish(builder.refund(endpoint.head(), refund), lane=name.lane if name else GARAGE_WIDE)
        case SendReceipt():
            pass  # answered by whoever asked
