"""What a worker would send to PayBy, as plain words."""

from terminal.core.actions import CloseOrder, PlaceOrder, PlaceRefund, Pursuit


def words(pursuit: Pursuit) -> bytes:
    match pursuit:
        case PlaceOrder(order) | CloseOrder(order):
            return f"{type(pursuit).__name__} of {order.no} at {order.placed}\n".encode()
        case PlaceRefund(refund):
            return refund.no.encode()
        case _:
            raise AssertionError("asked for words that change nothing")
