"""An order and a notification in PayBy's words, whole."""

from terminal.payby import messages as m

NUMBER = "marina-exit-1-0190d3f07c1e7a529d2f0123456789ab"
ORDER = """{"merchantOrderNo": "marina-exit-1-0190d3f07c1e7a529d2f0123456789ab", "orderNo": "131765054600900852",
"status": "PAID_SUCCESS", "totalAmount": {"amount": 20.00, "currency": "AED"}, "payeeMid": "200000000888"}"""
NOTIFICATION = '{"notify_id": "202004170007499051", "notify_timestamp": 1587113039189, "acquireOrder": %s}'
ANSWER = '{"head": {"applyStatus": "SUCCESS", "code": "0", "msg": "SUCCESS"}, "body": {"acquireOrder": %s}}'


def order(text: str = ORDER) -> m.AcquireOrder:
    return m.read_order(NOTIFICATION % text)
