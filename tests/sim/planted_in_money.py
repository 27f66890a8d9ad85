"""Bugs in the rules of money: orders, payments, lifts for them and refunds."""

from tests.sim.planted_bug import RULES, Bug

IN_MONEY = (
    Bug(
        "coupon used twice",
        RULES + "allowances",
        "if (used.coupon or used.left is not None) and not mine:",
        "if used.refunds and not mine:",
        "a coupon counts for every driver who has a copy of it",
        climate="allowances",
    ),
    Bug(
        "coupon for a lost ticket",
        RULES + "allowances",
        """ or visit.fee.reason != "due" or len(stay.allowances) >= ALLOWANCES):
        refuse(draft, lane.id, event.fee_id, "coupon-alone", code)
        return
    draft.put(fee_taken(lane, event.fee_id))
""",
        """ or len(stay.allowances) >= ALLOWANCES):
        refuse(draft, lane.id, event.fee_id, "coupon-alone", code)
        return
    draft.put(fee_taken(lane, event.fee_id))
""",
        "a coupon is taken from a driver whose lost ticket costs as much with it",
        climate="all tickets",
        world=2,
    ),
    Bug(
        "pass of two cars",
        RULES + "allowances",
        "if not mine and last is not None and event.entered <= last:",
        "if not mine and last is not None and event.entered <= 0:",
        "a season pass lets out everybody who has a copy of it",
        climate="allowances",
        only="I4: pass",
    ),
    Bug(
        "paid at the station and again",
        RULES + "arrival",
        "    fee = reduced(stay, fee, draft.at)\n",
        "    fee = replace(fee, full=reduced(stay, fee, draft.at).full)\n",
        "who has paid at a pay station is asked to pay again",
        climate="allowances",
    ),
    Bug(
        "second payment kept",
        RULES + "orders",
        "standing = [p for p in stay.payments if stay.unasked(p)]",
        "standing: list[Payment] = []",
        "the second payment of a stay is not refunded",
        climate="payer",
        world=33,
    ),
    Bug(
        "duplicate is a payment",
        RULES + "orders",
        'case "PAID", "paid":\n',
        'case "PAID", "no such stage":\n',
        "a payment that is reported twice counts twice",
        world=1,
    ),
    Bug(
        "credit beside its refund",
        RULES + "refunds",
        'holder: Holder = "lift" if payment.holder == "lift" else "refund"',
        "holder = payment.holder",
        "a payment that is given back still lifts",
        climate="operator",
    ),
    Bug(
        "raise not noted",
        RULES + "lifts",
        'return with_holder(stay, replace(payment, holder="raised", raised=given.id))\n    twice',
        "return stay\n    twice",
        "a payment is held by a lift that is over",
    ),
    Bug(
        "refusal is a raise",
        RULES + "lifts",
        'lane, stay, grant.order_no)\n    _pass_on(draft, stay, grant, "credit")',
        "lane, stay, grant.order_no)\n    lift_raised(draft, stay, stay.lift(grant.id))",
        "a driver whose lift was refused has used up his payment",
        world=1,
    ),
    Bug(
        "busy passes on",
        RULES + "lifts",
        'case "refused", "busy":\n            pass',
        'case "refused", "busy":\n            _not_raised(draft, stay, grant, "busy")',
        "a payment goes on while its lift may still raise",
        climate="barrier",
        world=13,
    ),
    Bug(
        "more time for nobody",
        RULES + "orders",
        "if late or not order.scanned or order.extended",
        "if late or order.extended",
        "an order gets more time though no phone has read its code",
        only="scan",
        world=9,
    ),
    Bug(
        "unknown is a raise",
        RULES + "lifts",
        'if given and boom and boom.state in ("rising", "up") and boom.lift in (None, grant.id):',
        "if given:",
        "a barrier that does not know counts as one that raised",
        climate="barrier",
        world=18,
    ),
    Bug(
        "refund never done",
        RULES + "refunds",
        'ended = replace(payment, holder="person" if refund.stage == "failed" or rest else "refunded", refund_no=None)',
        "ended = payment",
        "a refund that is done is waited for, for ever",
    ),
    Bug(
        "proof refused for good",
        RULES + "lifts",
        'case "refused", "signature" | "proof":',
        'case "refused", "signature":',
        "a copy of a lift without its proof takes the payment from the lift",
        climate="stolen lane",
        only="spoiled",
    ),
)
