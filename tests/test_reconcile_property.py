"""Days made at random: an honest one is explained whole, and one altered thing is always found."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from terminal.core import money
from terminal.tools.reconcile.report import Report
from tests.support.day import V1, V2, Told, papers, payment, refund
from tests.support.story import an_id

Rows = list[dict[str, str]]
VISITS = ("paid", "free", "operator", "late", "refunded")


def a_day(visits: list[str], amounts: list[int]) -> tuple[Told, Rows]:
    """One car after another, and PayBy's honest statement of them."""
    story, rows = Told(), []
    for number, (visit, fils) in enumerate(zip(visits, amounts, strict=True)):
        session = f"s{number}"
        story.wait(30)
        match visit:
            case "paid":
                rows.append(payment(story.visits(session, amount=fils), story.at))
            case "free":
                story.arrives()
                story.reads(session, amount=0)
                story.leaves(session)
            case "operator":
                story.operator(session, note="by hand")
            case "late":
                order = story.pays_too_late(session)
                rows.append(payment(order, story.at))
                story.wait(16 * 60)
                story.tell_refund("success", session)
                rows.append(refund(story.refund(session).no, order.no, order.amount, story.at))
            case "refunded":
                order = story.visits(session, amount=fils)
                rows.append(payment(order, story.at))
                story.command("refund", order_no=order.no, amount=max(1, fils // 3))
                story.tell_refund("settled", session)
                rows.append(refund(story.refund(session).no, order.no, max(1, fils // 3), story.at))
    return story, rows


days = st.lists(st.tuples(st.sampled_from(VISITS), st.integers(1, 10_000_000)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(days, st.sampled_from([V1, V2]), st.booleans())
def test_an_honest_day_is_explained_whole_and_to_the_fils(
    made: list[tuple[str, int]], columns: str, backwards: bool
) -> None:
    story, rows = a_day([visit for visit, _ in made], [fils for _, fils in made])
    report = story.report(papers(*(reversed(rows) if backwards else rows), columns=columns))
    assert report.unexplained == 0, [line for line in report.lines if not line.explained]
    assert report.sums.statement == report.sums.journal
    assert report.sums.statement_refunds == report.sums.journal_refunds
    counts = {visit: sum(v == visit for v, _ in made) for visit in VISITS}
    assert len(report.of("paid-opened")) == counts["paid"] + counts["refunded"]
    assert len(report.of("opened-free")) == counts["free"]
    assert len(report.of("opened-operator")) == counts["operator"]
    assert len(report.of("paid-refunded")) == counts["late"]
    assert len(report.of("refund")) == counts["late"] + counts["refunded"]
    hours = sum(hour.opened_fils + hour.other_fils for hour in report.hours)
    assert hours == report.sums.journal[1] == sum(line.fils or 0 for line in report.lines if line.kind[:4] == "paid")


# -- one thing altered -----------------------------------------------------------------------------------------------


def lose_a_row(_: Told, rows: Rows, which: int) -> None:
    del rows[which % len(rows)]


def one_fils_more(_: Told, rows: Rows, which: int) -> None:
    row = rows[which % len(rows)]
    row["totalAmount"] = money.text(money.parse(row["totalAmount"]) + 1)


def one_fils_less(_: Told, rows: Rows, which: int) -> None:
    row = rows[which % len(rows)]
    row["totalAmount"] = money.text(money.parse(row["totalAmount"]) - 1)


def list_a_row_twice(_: Told, rows: Rows, which: int) -> None:
    rows.append(rows[which % len(rows)])


def another_number(_: Told, rows: Rows, which: int) -> None:
    rows[which % len(rows)] |= {"merchantOrderNo": "till-7", "originMerchantOrderNo": "till-7"}


def a_failed_row(_: Told, rows: Rows, which: int) -> None:
    rows[which % len(rows)] |= {"status": "FAILURE"}


def lose_a_raise(story: Told, _: Rows, which: int) -> None:
    """From between others, so that the barrier's journal must have it."""
    lane = story.arms["exit-1"]
    pairs = len(lane) // 2
    first = 2 * (1 + which % (pairs - 2))
    del lane[first : first + 2]


def a_raise_of_nobodys(story: Told, _: Rows, which: int) -> None:
    story.boom("up", lift=an_id("nobody", which))


def a_raise_by_force(story: Told, _: Rows, which: int) -> None:
    story.boom("up")


ALTERED: list[Callable[[Told, Rows, int], None]] = [
    lose_a_row,
    one_fils_more,
    one_fils_less,
    list_a_row_twice,
    another_number,
    a_failed_row,
    lose_a_raise,
    a_raise_of_nobodys,
    a_raise_by_force,
]


@settings(max_examples=120, deadline=None, derandomize=True)
@given(days, st.sampled_from(ALTERED), st.integers(0, 100))
def test_one_altered_thing_is_always_found(
    made: list[tuple[str, int]], alter: Callable[[Told, Rows, int], None], which: int
) -> None:
    visits = ["paid", *(visit for visit, _ in made), "paid", "paid"]
    story, rows = a_day(visits, [2000, *(fils for _, fils in made), 2000, 2000])
    honest: Report = story.report(papers(*rows))
    assert honest.unexplained == 0
    alter(story, rows, which)
    assert story.report(papers(*rows)).unexplained >= 1
