"""What the past takes of the limits: a rolling day of what was sent, and what is known of the account."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from rebalancer.core.model import Side, Trade
from rebalancer.core.money import BaseAmount
from rebalancer.core.orders import Event, IntentState
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny, Trigger
from rebalancer.core.trust import CoinState, CoinTrust
from rebalancer.errors import JournalError
from rebalancer.journal import records
from rebalancer.journal.state import DAY
from rebalancer.journal.store import Journal
from tests.core.builders import NOW, d
from tests.journal.builders import PLAN, RUN, brought_to, intent, moved, new_journal, path_to, planned, sending


def test_targets_count_as_changed_until_a_whole_live_plan_served_them() -> None:
    denied = replace(PLAN, denials=(Denial(Deny.CLOCK_SKEW, "the clocks are apart"),))
    closed = records.plan_closed(RUN, "every leg was handled", whole=True)
    with new_journal() as journal:
        changed = partial(_changed, journal)
        assert not changed("old")  # nothing was ever served, so nothing changed
        journal.append(planned(digest="old"), closed)
        assert (changed("old"), changed("new")) == (False, True)
        for row in (planned(digest="new", complete=False), planned(digest="new", mode="dry-run"), planned(plan=denied)):
            journal.append(row, closed)
            assert changed("new"), row
        journal.append(planned(digest="new"), closed)
        assert (changed("old"), changed("new")) == (True, False)


def test_weights_that_change_before_a_plan_was_ever_carried_out_whole_are_a_change_too() -> None:
    """Seen in the demo: the first plan was cut by its limits, other weights came, and nobody was asked."""
    with new_journal() as journal:
        changed = partial(_changed, journal)
        journal.append(planned(digest="first", complete=False), records.plan_closed(RUN, "closed", whole=True))
        assert (changed("first"), changed("second")) == (False, True)


def test_a_plan_that_ended_early_has_not_served_the_change_of_targets_that_it_was_made_for() -> None:
    """A crash before the first leg must not leave the account inside its old bands for ever."""
    early, whole = (records.plan_closed(RUN, "closed", whole=whole) for whole in (False, True))
    with new_journal() as journal:
        changed = partial(_changed, journal)
        journal.append(planned(digest="old"), whole, planned(digest="new"))
        assert changed("new")
        journal.append(early)
        assert changed("new")
        journal.append(whole)  # about a plan that is not open any more
        assert changed("new")
        journal.append(planned(digest="new", complete=False), whole)
        assert changed("new")
        journal.append(planned(digest="new"), whole)
        assert not changed("new")


def test_a_plan_that_found_nothing_to_do_has_served_its_targets_at_once() -> None:
    with new_journal() as journal:
        journal.append(planned(digest="old", plan=replace(PLAN, legs=())))
        assert (_changed(journal, "old"), _changed(journal, "new")) == (False, True)


def _changed(journal: Journal, digest: str) -> bool:
    return journal.state.usage(NOW, digest).targets_changed


def test_only_the_worth_of_a_plan_whose_data_passed_is_compared_with_the_next() -> None:
    denied = Denial(Deny.CLOCK_SKEW, "the clocks are apart")
    with new_journal() as journal:
        assert journal.state.usage(NOW, "").nav_validated_quote is None
        journal.append(planned(plan=replace(PLAN, nav_here_quote=d("50000.000000000000000001")), mode="dry-run"))
        journal.append(planned(plan=replace(PLAN, nav_here_quote=d(1), denials=(denied,))))
        journal.append(planned(plan=replace(PLAN, nav_quote=None, nav_here_quote=None, nav_limits_quote=None)))
        assert journal.state.usage(NOW, "").nav_validated_quote == d("50000.000000000000000001")


def test_what_each_plan_remembers_of_its_coins_stays_and_the_last_word_counts() -> None:
    first, later = CoinTrust(d(50_000), NOW), CoinTrust(d(50_000), NOW, CoinState.SUSPECT, NOW, "why")
    with new_journal() as journal:
        assert journal.state.usage(NOW, "").coins == {}
        journal.append(planned(plan=replace(PLAN, trust={"BTC": first, "ETH": first}), mode="dry-run"))
        denied = (Denial(Deny.CLOCK_SKEW, "the clocks are apart"),)
        journal.append(planned(plan=replace(PLAN, denials=denied, assets=(), trust={"BTC": later})))
        assert journal.state.usage(NOW + 9 * DAY, "").coins == {"BTC": later, "ETH": first}


def test_the_owners_word_on_a_frozen_coin_lets_it_be_looked_at_afresh() -> None:
    frozen = CoinTrust(d(50_000), NOW, CoinState.FROZEN, NOW, "why")
    with new_journal() as journal:
        journal.append(planned(plan=replace(PLAN, trust={"BTC": frozen})))
        journal.append(records.ack_coin("BTC", "owner"))
        assert journal.state.coins == {"BTC": CoinTrust(d(50_000), NOW, accepted=True)}
        with pytest.raises(JournalError, match="impossible row: 'DOGE'"):
            journal.append(records.ack_coin("DOGE", "owner"))


def test_a_fill_and_a_lesson_stay_known() -> None:
    with new_journal() as journal:
        brought_to(journal, IntentState.CANCELED)
        assert not journal.state.usage(NOW, "").has_traded
        brought_to(journal, IntentState.PARTIAL, intent(2))
        journal.append(records.learned_amount_precision("btcusdt"))
        usage = journal.state.usage(NOW + 9 * DAY, "")
        assert usage.has_traded
        assert usage.amount_precision_symbols == {"btcusdt"}


@pytest.mark.parametrize("state", [state for state in IntentState if state is not IntentState.PLANNED])
def test_whatever_may_have_been_sent_counts_and_what_never_was_does_not(state: IntentState) -> None:
    with new_journal() as journal:
        brought_to(journal, state)
        never = state in {IntentState.DENIED, IntentState.ABANDONED}
        assert journal.state.usage(NOW, "").orders == (0 if never else 1)


def test_an_order_whose_connection_was_never_made_gives_its_share_back() -> None:
    with new_journal() as journal:
        made = brought_to(journal, IntentState.SENDING)
        assert journal.state.usage(NOW, "").sold_quote == 100
        journal.append(moved(made, Event.NOT_SENT))
        assert journal.state.usage(NOW, "").notional_quote == 0


def test_usage_is_what_was_sent_in_the_24_hours_before() -> None:
    sent = [(1, Side.SELL, "100.10", 0), (2, Side.BUY, "20.02", 1), (3, Side.BUY, "3.003", 23), (4, Side.SELL, "7", 30)]
    with new_journal() as journal:
        for number, side, notional, hours in sent:
            made = intent(number, side=side, amount="20")
            row = sending(made, NOW + timedelta(hours=hours), notional=notional)
            journal.append(records.intent(made), row, moved(made, Event.ACCEPT))
        for hours, sold, bought, orders in (
            (23.9, "107.10", "23.023", 4),  # the exchange's clock may be ahead: what is to come counts
            (24, "7", "23.023", 3),
            (25, "7", "3.003", 2),
            (47, "7", "0", 1),
            (54, "0", "0", 0),
        ):
            usage = journal.state.usage(NOW + timedelta(hours=hours), "")
            assert (usage.sold_quote, usage.bought_quote, usage.orders) == (d(sold), d(bought), orders), hours


@pytest.mark.parametrize("state", list(IntentState))
def test_only_what_traded_lets_its_coin_rest(state: IntentState) -> None:
    with new_journal() as journal:
        brought_to(journal, state)
        trades = journal.state.usage(NOW + timedelta(hours=1), "").trades
        traded = state in {IntentState.FILLED, IntentState.PARTIAL}
        assert trades == ({"BTC": Trade(NOW, Side.SELL, rest=state is IntentState.PARTIAL)} if traded else {})


@pytest.mark.parametrize(
    ("capped", "sent", "rest"), [(False, "0.25", False), (True, "0.25", True), (False, "0.2", True)]
)
def test_an_order_that_was_cut_leaves_a_rest(capped: bool, sent: str, rest: bool) -> None:
    with new_journal() as journal:
        made = replace(intent(), capped=capped)
        less = replace(made, terms=BaseAmount(d(sent)))
        journal.append(records.intent(made), sending(less), moved(made, Event.ACCEPT), moved(made, Event.FILL))
        assert journal.state.usage(NOW, "").trades["BTC"].rest is rest


def test_the_last_trade_of_a_coin_is_the_one_that_counts_for_two_days() -> None:
    with new_journal() as journal:
        for number, side, hours in ((1, Side.SELL, 0), (2, Side.BUY, 5)):
            made = intent(number, side=side, amount="20")
            at = NOW + timedelta(hours=hours)
            journal.append(records.intent(made), sending(made, at), moved(made, Event.ACCEPT), moved(made, Event.FILL))
        last = NOW + timedelta(hours=5)
        assert journal.state.usage(last, "").trades == {"BTC": Trade(last, Side.BUY)}
        assert journal.state.usage(last + timedelta(hours=47), "").trades
        assert not journal.state.usage(last + timedelta(hours=48), "").trades


def test_leave_is_for_one_set_of_weights_and_used_up_by_what_is_filled() -> None:
    with new_journal() as journal:
        assert journal.state.usage(NOW, "a").acked_quote is None
        journal.append(records.ack_plan(RUN, "owner", weights_digest="a", up_to_quote=d("150.5")))
        assert journal.state.usage(NOW, "a").acked_quote == d("150.5")
        assert journal.state.usage(NOW, "b").acked_quote is None
        made = intent()
        journal.append(records.intent(made), *(moved(made, event) for event in path_to(IntentState.FILLED)))
        assert journal.state.usage(NOW, "a").acked_quote == d("50.5")
        journal.append(records.ack_plan(RUN, "owner", weights_digest="a", up_to_quote=d(7)))
        assert journal.state.usage(NOW, "a").acked_quote == 7, "a new leave is a new amount"


@pytest.mark.parametrize("whole", [False, True])
def test_leave_ends_with_the_plan_that_carried_the_weights_out(whole: bool) -> None:
    with new_journal() as journal:
        journal.append(records.ack_plan(RUN, "owner", weights_digest="a", up_to_quote=d(150)))
        journal.append(planned(digest="a", complete=True), records.plan_closed(RUN, "", whole=whole))
        assert (journal.state.usage(NOW, "a").acked_quote is None) == whole


def test_flows_add_up_until_a_plan_that_is_not_about_them() -> None:
    flow = {"held": {"USDT": d(5)}, "t_exch": NOW}
    with new_journal() as journal:
        for amount in ("2.5", "-1"):
            journal.append(records.external_flow(RUN, moved={"USDT": d(amount)}, **flow))
        journal.append(planned(plan=replace(PLAN, trigger=Trigger.CASH_FLOW)))
        journal.append(planned(mode="dry-run"))
        journal.append(planned(plan=replace(PLAN, denials=(Denial(Deny.CLOCK_SKEW, "apart"),))))
        assert journal.state.usage(NOW, "").flows == {"USDT": d("1.5")}
        journal.append(planned())
        assert journal.state.usage(NOW, "").flows == {}


def test_one_coin_sold_for_another_lets_both_rest_and_counts_on_both_sides_of_the_leave() -> None:
    with new_journal() as journal:
        journal.append(records.ack_plan(RUN, "owner", weights_digest="a", up_to_quote=d(150)))
        made = replace(intent(), asset="ETH", symbol="ethbtc", quote="BTC")
        journal.append(records.intent(made), *(moved(made, event) for event in path_to(IntentState.FILLED)))
        assert journal.state.usage(NOW, "").trades == {"ETH": Trade(NOW, Side.SELL), "BTC": Trade(NOW, Side.BUY)}
        approval = journal.state.approval
        assert approval is not None and (approval.sold_quote, approval.bought_quote) == (100, 100)


def test_a_restored_journal_asks_again_about_a_coin_that_has_no_balance_row() -> None:
    """Between the backup and its return the coin may have been bought: the word was about an account of before."""
    price = CoinTrust(d(50_000), NOW)
    rowless = replace(PLAN, trust={"BTC": replace(price, rowless_since=NOW), "ETH": price})
    with new_journal() as journal:
        journal.append(planned(plan=rowless), records.ack_coin("BTC", "owner"))
        journal.append(records.halt("foreign_order", "a stranger's order"))
        assert journal.state.coins["BTC"].excused, "another halt says nothing of it"
        journal.append(records.halt(records.RESTORED, "restored from a backup"))
        assert journal.state.coins["BTC"].lacks_row and journal.state.coins["ETH"] == price
        journal.append(records.ack_coin("BTC", "owner"))
        assert journal.state.coins["BTC"].excused


def test_what_another_hand_brought_was_held_and_what_it_took_whole_says_nothing() -> None:
    with new_journal() as journal:
        journal.append(planned())
        before = journal.state.ever_held
        held, moved_by = {"SOL": d(5), "ADA": d(0)}, {"SOL": d(5), "ADA": d(-3)}
        journal.append(records.external_flow(RUN, held=held, moved=moved_by, t_exch=NOW))
        assert journal.state.ever_held == before | {"SOL"}
        assert journal.state.usage(NOW, "").ever_held == before | {"SOL"}
