"""The limits of the rules, in numbers: who changes one changes what drivers and operators were told."""

from terminal.core import clock_turn, ids, model, retention
from terminal.core.model import Rules
from terminal.core.rules import limits

LIMITS = {
    "GONE_MS": 2_000,
    "WAIT_LIMIT_MS": 15_000,
    "ANSWER_LIMIT_MS": 12_000,
    "LIFT_MS": 30_000,
    "LIFT_UNKNOWN_CAR_MS": 15_000,
    "RENEW_MS": 5_000,
    "HOLD_MS": 60_000,
    "RISE_LIMIT_MS": 6_000,
    "SETTLE_MS": 1_000,
    "LOOPS_MS": 5_500,
    "BARRIERS_MS": 15_000,
    "LINGER_MS": 60_000,
    "NOTICE_MS": 15_000,
    "NOTICE_OVER_VISIT_MS": 6_000,
    "NUMBER_TAKEN": "62016",
    "EXPIRY_REFUSED": ("62008", "62009", "62089"),
    "MAX_ATTEMPTS": 3,
    "MAX_LIFTS": 3,
    "MAX_SIGNED": 6,
    "ALLOWANCES": 16,
    "ALERT_AFTER_UNHEARD": 4,
    "ALERT_AFTER_SIGNED": 3,
    "SKEW_ALERT_MS": 5_000,
    "SKEW_LIMIT_MS": 15_000,
    "REMEMBERED_FEES": 8,
    "REMEMBERED_LIFTS": 16,
    "REMEMBERED_LOST": 3,
    "REMIND_MS": 604_800_000,
}


def test_every_limit_of_the_rules_is_what_the_contract_and_the_pages_say() -> None:
    stated = {**vars(limits), **vars(model)}
    assert {name: stated[name] for name in LIMITS} == LIMITS
    assert {name for name in vars(limits) if name.isupper()} <= LIMITS.keys()
    assert (ids.ATTEMPTS, retention.REST_MS, clock_turn.BACK_MS) == (9, 600_000, 60_000)


def test_what_the_configuration_leaves_out_is_what_the_contract_says() -> None:
    laid_down = {"cancel_after": 110_000, "exit_grace": 900_000, "payby_margin": 600_000, "lost_again": 120_000}
    limits = {"attempts": 3, "lifts": 3, "lift": 30_000, "lift_unknown_car": 15_000, "hold": 60_000}
    assert Rules("marina") == Rules("marina", mark="", **laid_down, **limits)
