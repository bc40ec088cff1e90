"""A leg at the moment it is sent: only smaller, whole steps, above HTX's minimums, within what the limits leave."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.fit import clip_to_leave, clip_to_limits, first_leg_alone, fit_leg, fit_leg_to_notional
from rebalancer.core.model import Usage
from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.core.plan import Denial, Direct, Leg
from rebalancer.core.reasons import Deny, Reason, Skip, Why
from rebalancer.core.targets import Limits
from tests.core.builders import d, rules

RULES = rules("BTC", lot_size=d("0.01"), quote_step=d("0.1"), min_notional=d(10), sell_quantity_min=d("0.05"))
OPEN = Limits(max_turnover_per_cycle=d(100), max_turnover_per_day=d(100), max_orders_per_day=5)
NAV = d(1000)


def leg(size: BaseAmount | QuoteAmount, notional: str | int, **changes: Any) -> Leg:
    made = Leg(
        intent_seq=1, asset="BTC", symbol="btcusdt", quote="USDT", size=size, notional_quote=d(notional), mid=d(200), fee_quote=d(1),
        spread_cost_bps=d(0), impact_bps=d(0), reason=Reason(Why.OVERWEIGHT, "why"),
    )  # fmt: skip
    return replace(made, **changes)


SELL = leg(BaseAmount(d(2)), 400)
BUY = leg(QuoteAmount(d(400)), 400)


def fitted(one: Leg, free: str, **changes: Any) -> Leg | Reason:
    precision = changes.pop("amount_precision", False)
    return fit_leg(one, free=d(free), rules=replace(RULES, **changes), amount_precision=precision)


@pytest.mark.parametrize(
    ("free", "quantity"), [("5", "2"), ("2", "2"), ("1.999", "1.99"), ("0.5", "0.5"), ("0.05", "0.05")]
)
def test_a_sell_is_whole_lots_of_what_is_free_and_never_more_than_planned(free: str, quantity: str) -> None:
    wanted = replace(
        SELL, size=BaseAmount(d(quantity)), notional_quote=d(quantity) * 200, fee_quote=d(quantity) * 200 / 400
    )
    assert fitted(SELL, free) == wanted


@pytest.mark.parametrize(
    ("free", "changes"),
    [
        ("0.009", {"sell_quantity_min": d(0), "min_notional": d(0)}),
        ("0.049", {"min_notional": d(0)}),
        ("0.05", {"min_notional": d("10.01")}),
        ("0", {"sell_quantity_min": d(0), "min_notional": d(0)}),
    ],
)
def test_a_sell_below_a_lot_or_a_minimum_is_skipped_with_what_is_free(free: str, changes: dict[str, Any]) -> None:
    assert fitted(SELL, free, **changes) == Reason(
        Skip.NO_FREE_BALANCE, f"only {free} BTC are free now: too little to sell"
    )


@pytest.mark.parametrize(("free", "spend"), [("1000", "400"), ("400", "398"), ("200.6", "199.5"), ("10.06", "10")])
def test_a_buy_spends_whole_steps_of_a_share_of_the_free_cash(free: str, spend: str) -> None:
    wanted = replace(BUY, size=QuoteAmount(d(spend)), notional_quote=d(spend), fee_quote=d(spend) / 400)
    assert fitted(BUY, free) == wanted


def test_a_symbol_that_refused_a_fine_amount_is_bought_in_its_lots() -> None:
    whole = fitted(BUY, "200.6", lot_size=d(1), quote_step=d("0.1"), amount_precision=True)
    assert isinstance(whole, Leg) and whole.size == QuoteAmount(d(199))
    fine = fitted(BUY, "200.6", lot_size=d(1), quote_step=d("0.1"), quote="EUR")
    assert isinstance(fine, Leg) and fine.size == QuoteAmount(d("199.5"))


@pytest.mark.parametrize(
    ("free", "changes"),
    [("0", {"min_notional": d(0)}), ("-1", {"min_notional": d(0)}), ("10", {}), ("0.05", {"min_notional": d(0)})],
)
def test_a_buy_without_the_cash_for_it_is_skipped_with_what_is_free(free: str, changes: dict[str, Any]) -> None:
    assert fitted(BUY, free, **changes) == Reason(
        Skip.NO_CASH, f"only {free} USDT are free now: too little to buy with"
    )


def clipped(one: Leg, limits: Limits, usage: Usage | None = None, *, spent: str = "0") -> Leg | Denial:
    return clip_to_limits(one, limits, usage or Usage(), NAV, RULES, spent_quote=d(spent))


@pytest.mark.parametrize("one", [SELL, BUY], ids=["sell", "buy"])
def test_a_leg_within_every_limit_to_the_last_quote_unit_goes_as_it_is(one: Leg) -> None:
    exact = replace(OPEN, max_order_notional=d(400), max_notional_per_day=d(400), max_turnover_per_day=d(40))
    assert clipped(one, replace(exact, max_turnover_per_cycle=d(40))) is one


SOLD, BOUGHT = Usage(sold_quote=d(900)), Usage(bought_quote=d(900))
CLIPS = [
    (SELL, {"max_order_notional": d(101)}, Usage(), "0", "0.5"),
    (BUY, {"max_order_notional": d(101)}, Usage(), "0", "101"),
    (SELL, {"max_notional_per_day": d(1000)}, SOLD, "0", "0.5"),
    (BUY, {"max_notional_per_day": d(1000)}, SOLD, "0", "100"),
    (SELL, {}, Usage(), "900", "0.5"),
    (BUY, {"max_turnover_per_cycle": d(20)}, Usage(), "50", "150"),
    (SELL, {}, SOLD, "0", "0.5"),
    (BUY, {}, BOUGHT, "0", "100"),
    (SELL, {}, Usage(nav_validated_quote=d(100)), "0", "0.5"),
    (BUY, {}, Usage(nav_validated_quote=d(100)), "0", "100"),
]


@pytest.mark.parametrize(("one", "limits", "usage", "spent", "size"), CLIPS)
def test_a_leg_is_cut_to_the_limit_that_leaves_least(
    one: Leg, limits: dict[str, Any], usage: Usage, spent: str, size: str
) -> None:
    made = clipped(one, replace(OPEN, **limits), usage, spent=spent)
    assert isinstance(made, Leg)
    assert made.size == type(one.size)(d(size))
    assert made.fee_quote == made.notional_quote / 400


@pytest.mark.parametrize(("one", "usage"), [(SELL, BOUGHT), (BUY, SOLD)], ids=["sell", "buy"])
def test_what_the_other_side_took_of_the_days_turnover_does_not_count(one: Leg, usage: Usage) -> None:
    assert clipped(one, OPEN, usage) is one


def test_a_value_seen_before_that_is_larger_than_todays_allows_no_more() -> None:
    made = clipped(BUY, replace(OPEN, max_turnover_per_day=d(30)), Usage(nav_validated_quote=d(10**6)))
    assert isinstance(made, Leg) and made.size == QuoteAmount(d(300))


DENIED = [
    ({"max_order_notional": d(9)}, Usage(), "0", Deny.NOTIONAL_ORDER, "9.00"),
    ({"max_notional_per_day": d(1000)}, Usage(sold_quote=d(500), bought_quote=d(495)), "0", Deny.NOTIONAL_DAY, "5.00"),
    ({}, Usage(), "995", Deny.TURNOVER_CYCLE, "5.00"),
    ({}, Usage(), "1010", Deny.TURNOVER_CYCLE, "-10.00"),
    ({}, Usage(bought_quote=d(995)), "0", Deny.TURNOVER_DAY, "5.00"),
]


@pytest.mark.parametrize(("limits", "usage", "spent", "code", "left"), DENIED)
def test_a_limit_that_leaves_less_than_the_minimum_denies_with_both_numbers(
    limits: dict[str, Any], usage: Usage, spent: str, code: Deny, left: str
) -> None:
    text = f"btcusdt: 400.00 is more than the limit leaves ({left})"
    assert clipped(BUY, replace(OPEN, **limits), usage, spent=spent) == Denial(code, text, "BTC", left, "400.00")


@pytest.mark.parametrize(
    ("one", "left", "now", "size"),
    [
        (SELL, "400", "200", "2"),
        (SELL, "400", "100", "2"),  # a fall of the price is no room: it may rise again before the order is there
        (SELL, "399.99", "100", "1.99"),
        (SELL, "400", "250", "1.6"),
        (SELL, "500", "250", "2"),
        (SELL, "499.99", "250", "1.99"),
        (BUY, "400", "250", "400"),
        (BUY, "399.99", "250", "399.9"),
        (BUY, "10", "100", "10"),
    ],
)
def test_a_leg_turns_over_no_more_than_the_owners_leave_has_left_at_the_dearer_price(
    one: Leg, left: str, now: str, size: str
) -> None:
    clipped = clip_to_leave(one, d(left), d(now), RULES, amount_precision=False)
    assert isinstance(clipped, Leg) and clipped.size.value == d(size)


def test_a_buy_with_a_collar_counts_against_the_leave_with_all_that_it_may_cost() -> None:
    one = leg(QuoteAmount(d(404)), 400, collar=d(202))
    assert clip_to_leave(one, d(404), d(200), RULES, amount_precision=False) == one
    clipped = clip_to_leave(one, d(403), d(200), RULES, amount_precision=False)
    assert isinstance(clipped, Leg) and clipped.size.value <= 403


@pytest.mark.parametrize(
    ("one", "left", "now", "value"),
    [(SELL, "9.99", "200", "400.00"), (SELL, "9.99", "250", "500.00"), (BUY, "9.99", "250", "400.00"), (BUY, "-3", "200", "400.00")],
)  # fmt: skip
def test_a_leave_that_has_less_than_the_minimum_left_denies_with_both_numbers(
    one: Leg, left: str, now: str, value: str
) -> None:
    denial = clip_to_leave(one, d(left), d(now), RULES, amount_precision=False)
    assert isinstance(denial, Denial)
    assert (denial.code, denial.limit, denial.value) == (Deny.ACK_NEEDED, f"{d(left):.2f}", value)


@pytest.mark.parametrize(("sent", "denied"), [(4, False), (5, True), (6, True)])
def test_the_last_order_of_the_day_goes_and_the_next_is_denied(sent: int, denied: bool) -> None:
    made = clipped(BUY, OPEN, Usage(orders=sent))
    text = f"btcusdt: {sent} is more than the limit leaves (5)"
    assert made == (Denial(Deny.ORDERS_DAY, text, "BTC", "5", str(sent)) if denied else BUY)


@pytest.mark.parametrize(
    ("one", "notional", "changes", "size"),
    [
        (SELL, "101", {}, "0.5"),
        (SELL, "10", {}, "0.05"),
        (SELL, "9.99", {"min_notional": d(0)}, None),
        (SELL, "1.99", {"min_notional": d(0), "sell_quantity_min": d(0)}, None),
        (SELL, "10", {"min_notional": d("10.01")}, None),
        (BUY, "101.97", {}, "101.9"),
        (BUY, "101.97", {"lot_size": d(1)}, "101"),
        (BUY, "10", {}, "10"),
        (BUY, "9.99", {}, None),
        (BUY, "0", {"min_notional": d(0)}, None),
    ],
)
def test_a_leg_cut_to_an_amount_is_whole_steps_of_it_or_nothing(
    one: Leg, notional: str, changes: dict[str, Any], size: str | None
) -> None:
    made = fit_leg_to_notional(one, d(notional), replace(RULES, **changes), amount_precision=False)
    if size is None:
        assert made is None
        return
    value = d(size) * (200 if one is SELL else 1)
    wanted = replace(one, size=type(one.size)(d(size)), notional_quote=value, fee_quote=value / 400)
    assert made == wanted


def test_a_probe_is_the_smallest_sell_and_without_sells_the_smallest_buy() -> None:
    def numbered(one: Leg, seq: int, notional: int) -> Leg:
        return replace(one, intent_seq=seq, notional_quote=Decimal(notional))

    small_buy, sell, same_sell = numbered(BUY, 1, 5), numbered(SELL, 3, 50), numbered(SELL, 2, 50)
    large_sell = numbered(SELL, 4, 90)
    legs = (small_buy, sell, same_sell, large_sell)
    assert first_leg_alone(legs) == (same_sell, (small_buy, sell, large_sell))
    large_buy = numbered(BUY, 2, 90)
    assert first_leg_alone((large_buy, small_buy)) == (small_buy, (large_buy,))
    with pytest.raises(AssertionError):
        first_leg_alone(())


DIRECT = leg(QuoteAmount(d(4)), 400, quote="ETH", direct=Direct(spent_mid=d(100), received_mid=d(50), saves_quote=d(8)))
CROSS = replace(RULES, quote="ETH", quote_step=d("0.1"), min_notional=d("0.1"))


def test_a_coin_that_is_spent_directly_may_go_to_the_last_of_it() -> None:
    made = fit_leg(DIRECT, free=d(3), rules=CROSS, amount_precision=False)
    assert isinstance(made, Leg) and made.size == QuoteAmount(d(3))
    assert (made.notional_quote, made.fee_quote) == (300, d("0.75"))
    assert made.direct == Direct(d(100), d(50), d(6))


def test_a_direct_leg_is_measured_in_the_accounts_quote_coin_against_the_fuller_side_of_the_day() -> None:
    for usage in (SOLD, BOUGHT):
        made = clip_to_limits(DIRECT, OPEN, usage, NAV, CROSS, spent_quote=d(0))
        assert isinstance(made, Leg) and (made.size, made.notional_quote) == (QuoteAmount(d(1)), 100)
    assert fit_leg_to_notional(DIRECT, d(155), CROSS, amount_precision=False) == replace(
        DIRECT, size=QuoteAmount(d("1.5")), notional_quote=d(150), fee_quote=d("0.375"),
        direct=Direct(d(100), d(50), d(3)),
    )  # fmt: skip


def test_a_direct_leg_counts_against_the_leave_with_its_worth_at_the_decision() -> None:
    sell = replace(
        DIRECT, size=BaseAmount(d(2)), direct=Direct(spent_mid=d(200), received_mid=d(100), saves_quote=d(8))
    )
    for one in (DIRECT, sell):
        assert clip_to_leave(one, d(400), d(10**6), CROSS, amount_precision=False) == one
        clipped = clip_to_leave(one, d(200), d(10**6), CROSS, amount_precision=False)
        assert isinstance(clipped, Leg) and clipped.notional_quote == 200


def test_a_probe_may_be_a_direct_leg_which_needs_no_cash() -> None:
    small_buy = replace(BUY, notional_quote=d(5))
    assert first_leg_alone((small_buy, DIRECT)) == (DIRECT, (small_buy,))
