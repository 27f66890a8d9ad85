"""Nouns, facts and wishes: what is true of them all."""

from dataclasses import MISSING, FrozenInstanceError, fields, is_dataclass
from types import ModuleType, NoneType
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from terminal.core import actions, display, events, model, quote, tariff, ticket
from terminal.core.rules import Change, Garage


def made_in(module: ModuleType) -> list[type]:
    return [kind for kind in vars(module).values() if is_dataclass(kind) and kind.__module__ == module.__name__]


KINDS = [kind for module in (model, events, actions, quote, display, tariff, ticket) for kind in made_in(module)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_none_can_change_once_it_is_made_or_bear_a_name_that_it_has_not(kind: type) -> None:
    one = object.__new__(kind)
    with pytest.raises(FrozenInstanceError):
        setattr(one, fields(kind)[0].name, 1)
    assert not hasattr(one, "__dict__")


@pytest.mark.parametrize("kind", [Garage, Change])
def test_what_does_change_bears_no_name_that_it_has_not(kind: type) -> None:
    assert not hasattr(object.__new__(kind), "__dict__")


def test_every_fact_is_told_by_its_name_and_says_when_it_was_first() -> None:
    assert {kind.__name__: kind for kind in made_in(events)} == events.EVENTS
    assert {fields(kind)[0].name for kind in made_in(events)} == {"at"}


BEGINNINGS = {
    "VisitOrder.stage": "placing",
    "VisitRefund.stage": "asked",
    "Grant.signed": 1,
    "Visit.loop": "sees",
    "Visit.escape": "no",
}


@pytest.mark.parametrize("kind", [k for k in KINDS if k is not model.Rules], ids=lambda kind: kind.__name__)
def test_what_is_left_out_is_nothing_but_for_how_a_noun_begins(kind: type) -> None:
    for field, hint in zip(fields(kind), get_type_hints(kind).values(), strict=True):
        if field.default is not MISSING:
            name = f"{kind.__name__}.{field.name}"
            hint = str if get_origin(hint) is Literal else hint
            begins = BEGINNINGS.get(name) or (None if NoneType in get_args(hint) else (get_origin(hint) or hint)())
            assert repr(field.default) == repr(begins), name
