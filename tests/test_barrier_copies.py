"""Forged lifts and altered copies: none raises, and none keeps the genuine one from raising."""

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from terminal.contract.messages import Answer, Proof, stamp
from terminal.roles.barrier.controller import FORGEABLE, FORGED_EVERY_MS, PublishBarrier, RaiseBoom, ReportForgery
from tests.support.barrier_desk import Desk, answer_in
from tests.support.lift_values import REASONS, VALUES
from tests.support.lifts import NOW, NUMBER, OTHER_CAR, answer, lift, notification, proof, raised, vehicle


@pytest.mark.fault("forged-lift")
def test_a_forged_lift_is_answered_believed_in_nothing_and_told_once_a_minute() -> None:
    desk, forged = Desk(), lift(key="stranger")
    effects = [effect for _ in range(5) for effect in desk.controller.on_lift(forged)]
    assert effects[0] == PublishBarrier(Answer(forged.id, "refused", "signature"))
    assert [type(effect) for effect in effects] == [
        PublishBarrier,
        ReportForgery,
        PublishBarrier,
        PublishBarrier,
        PublishBarrier,
        PublishBarrier,
    ]
    desk.clock.turn(FORGED_EVERY_MS)
    _, told = desk.controller.on_lift(lift(amount="1.00", not_after=stamp(NOW + 90_000)))
    assert told == ReportForgery(
        "a lift was refused: PayBy's signed words do not prove what it says (4 more since the last alert)"
    )


@pytest.mark.fault("forged-lift")
def test_a_forged_copy_of_a_spent_lift_does_not_hear_what_came_of_it() -> None:
    desk, good = Desk(), lift()
    desk.serve(good)
    assert desk.serve(lift(key="stranger")) == Answer(good.id, "refused", "signature")
    assert desk.serve(good) == raised(good)


@pytest.mark.fault("forged-lift")
@pytest.mark.parametrize("reason", ["paid", "credit"])
@pytest.mark.parametrize(
    ("copied", "why"),
    [
        ({"proof": None}, "signature"),
        ({"proof": proof(status="CREATED")}, "signature"),
        ({"proof": Proof(notification(), proof(key="stranger").sign)}, "proof"),
        ({"proof": Proof(notification(), "")}, "proof"),
    ],
)
def test_a_copy_with_another_proof_spoils_nothing(reason: str, copied: dict[str, Any], why: Any) -> None:
    """Who heard a lift that was busy drew a refusal for good of it, by sending it once more without its proof."""
    desk, good = Desk(state="up"), lift(reason)
    assert desk.serve(good) == Answer(good.id, "refused", "busy", NUMBER)
    copy = msgspec.structs.replace(good, **copied)
    for _ in range(3):
        assert desk.serve(copy) == Answer(good.id, "refused", why, None if why == "signature" else NUMBER)
    assert desk.rows == []
    desk.controller.on_boom("down")
    assert desk.serve(good) == raised(good)


@pytest.mark.fault("forged-lift")
def test_a_copy_of_a_refused_lift_does_not_hear_why_it_was_refused() -> None:
    desk = Desk()
    desk.controller.on_vehicle(vehicle(OTHER_CAR), retained=False)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)
    copy = msgspec.structs.replace(lift(), proof=Proof(notification(), ""))
    assert desk.serve(copy) == Answer(lift().id, "refused", "proof", NUMBER)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)


OTHERS = {
    **VALUES,
    "proof.body": st.sampled_from([notification() + " ", answer(), notification(status="SETTLED"), "", "{}"]),
    "proof.sign": VALUES["sign"] | st.just(proof(key="stranger").sign),
}


@pytest.mark.fault("forged-lift", "operator-replayed")
@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("field", OTHERS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_no_altered_copy_raises_or_keeps_the_genuine_lift_from_it(reason: str, field: str, data: st.DataObject) -> None:
    good, value = lift(reason), data.draw(OTHERS[field])
    if field.startswith("proof."):
        of_proof = {field.removeprefix("proof."): value}
        field, value = "proof", msgspec.structs.replace(good.proof or Proof("", ""), **of_proof)
    assume((value or None) != (getattr(good, field) or None))
    copy = msgspec.structs.replace(good, **{field: value})
    unknown, busy, held = Desk(), Desk(state="up"), Desk(heard=False)
    assert answer_in(busy.controller.on_lift(good)) == Answer(good.id, "refused", "busy", good.order_no)
    assert held.controller.on_lift(good) == []
    for desk in (unknown, busy, held):
        for effect in [*desk.controller.on_lift(copy), *desk.controller.on_lift(copy)]:
            assert isinstance(effect, PublishBarrier | ReportForgery)
            if isinstance(effect, PublishBarrier):
                assert effect.answer
                assert effect.answer.why in FORGEABLE
        desk.controller.on_boom("down")
        desk.perform(desk.controller.on_vehicle(vehicle(), retained=False))
        assert desk.serve(good) == raised(good)
        assert desk.pulsed == [good.id]
        assert [kind for kind, _ in desk.rows] == ["intent", "done"]


@pytest.mark.parametrize("reason", REASONS)
def test_a_copy_with_another_time_is_the_lift(reason: str) -> None:
    desk, good = Desk(), lift(reason)
    assert desk.serve(msgspec.structs.replace(good, at=stamp(0))) == raised(good)
    assert desk.serve(good) == raised(good)
    assert desk.pulsed == [good.id]


@pytest.mark.fault("operator-replayed")
def test_of_a_lift_that_is_held_an_earlier_signature_does_not_take_the_place_of_the_last() -> None:
    desk = Desk(heard=False)
    first, last = lift(not_after=stamp(NOW + 3_000)), lift()
    assert [desk.serve(tried) for tried in (first, last, first)] == [None] * 3
    desk.clock.turn(4_000)
    assert desk.controller.on_vehicle(vehicle(), retained=False) == [RaiseBoom(last)]
