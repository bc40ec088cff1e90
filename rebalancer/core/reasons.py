"""Why something is traded, left alone or refused: closed lists, each stored by its value.

*Skipped* is the planner's word (not worth it or not possible), *denied* a guard's (our own limit or doubt).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Why(StrEnum):
    """Why a leg is traded."""

    OVERWEIGHT = "overweight"
    UNDERWEIGHT = "underweight"
    FUNDS_BUYS = "funds_buys"  # inside its band, above target: pays for what is too light
    TAKES_PROCEEDS = "takes_proceeds"  # inside its band, below target: takes what is sold
    TARGETS_CHANGED = "targets_changed"
    FIRST_BUILD = "first_build"
    FORCED = "forced"
    EXIT = "exit"  # the owner wants it sold completely
    DEPOSIT = "deposit"  # new cash goes to what is lightest
    WITHDRAWAL = "withdrawal"  # what is heaviest refills the cash


class Skip(StrEnum):
    """Why an asset is not traded."""

    INSIDE_BAND = "inside_band"
    CASH_BALANCES = "cash_balances"  # the quote coin moves by the other legs
    NO_COUNTERPART = "no_counterpart"  # outside its band, but nothing stands on the other side
    ZERO_AFTER_FLOOR = "zero_after_floor"
    BELOW_MIN_NOTIONAL = "below_min_notional"
    BELOW_SMALLEST_TRADE = "below_smallest_trade"
    BELOW_MIN_QUANTITY = "below_min_quantity"
    NO_FREE_BALANCE = "no_free_balance"  # locked in the owner's own orders
    NO_CASH = "no_cash"
    CAP_REACHED = "cap_reached"  # of turnover, notional or orders; the rest waits for a later cycle
    NOT_TRADABLE = "not_tradable"  # in the way that the owner wants: no limit order can be placed
    SUSPECT = "suspect"  # its price is in doubt; trades again by itself
    FROZEN = "frozen"  # waits for the owner
    SLIPPAGE = "slippage"
    BOOK_TOO_THIN = "book_too_thin"
    NOT_COUNTED = "not_counted"  # held, but not in the targets: left alone
    COOLDOWN = "cooldown"  # traded a short while ago
    KEEP_NOT_HELD = "keep_not_held"  # less is held than the owner wants kept
    CASH_FLOW_FIRST = "cash_flow_first"  # strays, but a deposit or withdrawal is served before it
    GONE = "gone"  # was to be sold completely, and is


class Deny(StrEnum):
    """Which guard refused the plan or a leg."""

    QUOTE_MISSING = "quote_missing"
    QUOTE_ONE_SIDED = "quote_one_sided"
    QUOTE_NOT_POSITIVE = "quote_not_positive"
    QUOTE_CROSSED = "quote_crossed"
    QUOTE_STALE = "quote_stale"
    SPREAD_TOO_WIDE = "spread_too_wide"
    LAST_OFF_MID = "last_off_mid"
    DAY_MOVE_TOO_LARGE = "day_move_too_large"
    BALANCE_MISSING = "balance_missing"
    SYMBOL_MISSING = "symbol_missing"
    LEVERAGED_TOKEN = "leveraged_token"  # noqa: S105  # a name, not a secret
    FEE_MISSING = "fee_missing"
    NAV_NOT_POSITIVE = "nav_not_positive"
    PRICE_JUMPED = "price_jumped"  # against our own last trusted price, whatever the exchange says of its past
    PRICE_FAR = "price_far"  # the same after a day, and too far for a market that merely moved
    TRIANGLE_OFF = "triangle_off"  # against the price over BTC
    COIN_DEPEGGED = "coin_depegged"  # a stable coin among the targets
    TRADING_OFF = "trading_off"  # the exchange lists the pair and takes no orders for it
    TOO_MANY_DOUBTS = "too_many_doubts"  # about coins: what is left is no portfolio
    QUOTE_DEPEGGED = "quote_depegged"
    TURNOVER_CYCLE = "turnover_cycle"
    TURNOVER_DAY = "turnover_day"
    NOTIONAL_DAY = "notional_day"
    NOTIONAL_ORDER = "notional_order"
    ORDERS_DAY = "orders_day"
    CASH_BELOW_KEEP = "cash_below_keep"  # less cash than is never to be touched
    ACK_NEEDED = "ack_needed"  # a first build or a change of targets beyond a cycle's cap waits for the owner
    LIMIT_NOT_SET = "limit_not_set"
    MARKET_HALTED = "market_halted"
    CLOCK_SKEW = "clock_skew"
    PAUSED = "paused"
    HALTED = "halted"
    UNRESOLVED_INTENT = "unresolved_intent"
    DISK_LOW = "disk_low"  # too little room to be sure that what became of an order can be written down
    STALE_PLAN = "stale_plan"
    BALANCE_MOVED = "balance_moved"  # between plan and leg, more than our own fills explain
    FILL_OFF_DECISION = "fill_off_decision"  # what was paid is not what the plan was made of


class Trigger(StrEnum):
    """Why a plan has legs, or that it has none."""

    NONE = "none"
    OUTSIDE_BAND = "outside_band"
    TARGETS_CHANGED = "targets_changed"
    FIRST_BUILD = "first_build"
    FORCED = "forced"
    CASH_FLOW = "cash_flow"  # a deposit or withdrawal moved the cash beyond its band


@dataclass(frozen=True, slots=True)
class Reason:
    """A code for programs and a sentence for the owner."""

    code: Why | Skip | Deny
    text: str
