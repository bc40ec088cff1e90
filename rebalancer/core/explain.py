"""The owner's sentences: why an asset is traded, and what would make it act where it is not."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.collar import is_reached, takes_limit_orders
from rebalancer.core.depth import Walk
from rebalancer.core.holdings import lacks_its_keep
from rebalancer.core.judge import Judged
from rebalancer.core.ladder import Ladder
from rebalancer.core.leaving import can_be_sold_now, is_gone
from rebalancer.core.model import Book, MarketRules, Side, Snapshot
from rebalancer.core.money import plain
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny, Reason, Skip, Trigger, Why
from rebalancer.core.sizing import MIN_NOTIONAL_MARGIN
from rebalancer.core.targets import Targets
from rebalancer.core.trust import CoinState
from rebalancer.core.valuation import Valuation

_BY_TRIGGER = {
    Trigger.TARGETS_CHANGED: (Why.TARGETS_CHANGED, "the targets changed: all the way to"),
    Trigger.FIRST_BUILD: (Why.FIRST_BUILD, "the portfolio is built for the first time: to"),
    Trigger.FORCED: (Why.FORCED, "asked for by hand: all the way to"),
}


def percent(fraction: float) -> str:
    """Return a fraction as percent with two decimals at most."""
    text = f"{fraction * 100:.2f}".rstrip("0").rstrip(".")
    return f"{'0' if text == '-0' else text} %"


def taken_as_zero(asset: str) -> str:
    """Return what the owner is reminded of while a coin has no balance row."""
    return f"{asset} has no balance row and counts as not held, as you said; bought and still without one, it stops"


def kept_cash_is_locked(quote: str, short: Decimal) -> str:
    """Return what the owner should know while open orders of theirs hold cash that they want kept."""
    shown = f"{plain(short)} {quote} of what [keep] says are locked in open orders of yours"
    return f"{shown}: what is sold makes that good before anything is bought"


def why(valuation: Valuation, index: int, asset: str, side: Side, trigger: Trigger, *, outside: bool) -> Reason:
    """Return why a leg is wished."""
    weight, target = percent(valuation.weights[index]), percent(valuation.targets[index])
    if trigger is Trigger.CASH_FLOW:
        if side is Side.BUY:
            text = (
                f"money came in: {asset} is among the lightest ({weight} of {target}), so it is bought; nothing is sold"
            )
            return Reason(Why.DEPOSIT, text)
        text = f"money went out: {asset} is among the heaviest ({weight} of {target}), so it refills the cash, no more"
        return Reason(Why.WITHDRAWAL, text)
    if trigger in _BY_TRIGGER:
        code, text = _BY_TRIGGER[trigger]
        return Reason(code, f"{text} {target} from {weight}")
    if outside:
        low, high = _edges(valuation, index)
        if side is Side.SELL:
            return Reason(Why.OVERWEIGHT, f"{weight} is above its band {low} to {high}: sell part of the way back")
        return Reason(Why.UNDERWEIGHT, f"{weight} is below its band {low} to {high}: buy part of the way back")
    if side is Side.SELL:
        return Reason(Why.FUNDS_BUYS, f"{asset} is above its target {target} ({weight}), so it pays for the buys")
    return Reason(Why.TAKES_PROCEEDS, f"{asset} is below its target {target} ({weight}), so it takes the proceeds")


def leaves(asset: str) -> Reason:
    """Return why a coin that the owner wants to be rid of is sold."""
    return Reason(Why.EXIT, f"{asset} is to be sold completely ([exit])")


def probes(reason: Reason, *, has_row: bool) -> Reason:
    """Return why only the smallest order of a coin is sent: what becomes of it tells whether we were told the truth."""
    why = "the first look at its price" if has_row else "no balance of it is listed"
    return Reason(reason.code, f"{reason.text}; {why}, so the smallest order tries it")


def in_doubt(judged: Judged, asset: str, quote: str) -> Reason:
    """Return why a coin does not trade whose price or market cannot be trusted, and what would make it trade again."""
    coin = judged.trust[asset]
    at = f" of {coin.at:%Y-%m-%d %H:%M} UTC" if coin.at is not None else ""
    counted = f"counted at {plain(judged.prices[asset])} {quote}{at}"
    if coin.state is CoinState.FROZEN:
        text = f"frozen: {coin.why}; {counted}; `rebalancer ack {asset}` lets it trade once that is over"
        return Reason(Skip.FROZEN, text)
    return Reason(Skip.SUSPECT, f"in doubt: {coin.why}; {counted}; trades again when its price passes")


def gone(asset: str) -> Reason:
    """Return why a coin that was to be sold completely is not traded any more."""
    text = f"{asset} is sold: what is left of it, if anything, is too little for an order; take it out of [exit]"
    return Reason(Skip.GONE, text)


def capped(reason: Reason, notional_quote: Decimal, wished_quote: Decimal, quote: str) -> Reason:
    """Return a leg's reason with what limits or cash left of the wish."""
    assert isinstance(reason.code, Why), reason
    text = f"{reason.text}; limits leave {notional_quote:.2f} of {wished_quote:.2f} {quote} for now"
    return Reason(reason.code, text)


def straight(sell: Reason, buy: Reason, way: tuple[str, str], saves_quote: Decimal, quote: str) -> Reason:
    """Return why one coin is sold straight for another."""
    sold, bought = way
    saved = f"{sold} sold directly for {bought} saves about {saves_quote:.2f} {quote}"
    return Reason(sell.code, f"{saved}; {sold}: {sell.text}; {bought}: {buy.text}")


def too_small(quote: Decimal, ladder: Ladder, rules: MarketRules) -> Reason:
    """Return why an asset has no order of its own although it has a part to trade: others trade it, or nobody can."""
    smallest = f"the smallest order that it may have, {ladder.low_quote:.2f} {rules.quote}"
    if quote >= ladder.low_quote:
        text = f"{smallest}, would lead further from the targets: too little stands on the other side of theirs"
        return Reason(Skip.NO_COUNTERPART, text)
    minimum = quote < rules.min_notional * MIN_NOTIONAL_MARGIN
    code = Skip.BELOW_MIN_NOTIONAL if minimum else Skip.BELOW_SMALLEST_TRADE
    return Reason(code, f"its part, {quote:.2f} {rules.quote}, is below {smallest}; acts when its part is as large")


def waits(left_quote: Decimal, wished_quote: Decimal, ladder: Ladder, rules: MarketRules) -> Reason:
    """Return why an order that was decided is left for a later cycle."""
    text = (
        f"limits, cash or books leave {left_quote:.2f} of {wished_quote:.2f} {rules.quote}"
        f" (smallest order {ladder.low_quote:.2f}); waits for a later cycle"
    )
    return Reason(Skip.CAP_REACHED, text)


def no_depth(rules: MarketRules, walk: Walk, max_slippage_bps: Decimal) -> Reason:
    """Return why not even the smallest order fits into the book."""
    if walk.exhausted:
        return Reason(Skip.BOOK_TOO_THIN, f"the visible book of {rules.symbol} is too thin for the smallest order")
    text = f"even the smallest order would slip {walk.slippage_bps:.1f} bps, over max_slippage_bps = {max_slippage_bps}"
    return Reason(Skip.SLIPPAGE, text)


def no_collar(rules: MarketRules, book: Book, side: Side, collar: Decimal, max_slippage_bps: Decimal) -> Reason | None:
    """Return why no order with this worst price can be sent or filled, or None when one can."""
    if not takes_limit_orders(rules):
        text = f'HTX names no limits of quantity for {rules.symbol}, so order_type = "ioc" cannot be used for it'
        return Reason(Skip.NOT_TRADABLE, text)
    if not is_reached(collar, book, side):
        return Reason(
            Skip.SLIPPAGE, f"the best price of {rules.symbol} is beyond max_slippage_bps = {max_slippage_bps}"
        )
    return None


def stays(valuation: Valuation, index: int, targets: Targets, snapshot: Snapshot, trigger: Trigger) -> Reason:
    """Return why an asset that nobody wished to trade stays, and what would make it act."""
    asset = targets.assets[index]
    low, high = _edges(valuation, index)
    if asset in valuation.judged.doubtful:
        return in_doubt(valuation.judged, asset, targets.quote)
    outside = abs(valuation.drift[index]) > valuation.bands[index]
    if outside and lacks_its_keep(targets, snapshot.balances[asset]):
        held, kept = snapshot.balances[asset].total, targets.kept[asset]
        text = (
            f"less is held ({plain(held)}) than [keep] says ({plain(kept)}): {asset} is not bought up to it, lower that"
        )
        return Reason(Skip.KEEP_NOT_HELD, text)
    if asset == targets.quote:
        text = f"cash moves by the other legs; {_acts(low, high)}"
        return Reason(Skip.CASH_BALANCES if outside else Skip.INSIDE_BAND, text)
    if asset in targets.leaving:
        return _leaves_later(snapshot, targets, asset, valuation.prices[asset], trigger)
    if outside and trigger is Trigger.CASH_FLOW:
        return Reason(Skip.CASH_FLOW_FIRST, "outside its band; the money that came or went is served first")
    if outside:
        return Reason(Skip.NO_COUNTERPART, "outside its band, but nothing that may trade stands on the other side")
    return Reason(Skip.INSIDE_BAND, f"inside its band; {_acts(low, high)}")


def _leaves_later(snapshot: Snapshot, targets: Targets, asset: str, price: Decimal, trigger: Trigger) -> Reason:
    if is_gone(snapshot, targets, asset, price):
        return gone(asset)
    if not can_be_sold_now(snapshot, targets, asset, price):
        text = f"{asset} is to be sold completely ([exit]), but too little of it is free: the rest is locked or kept"
        return Reason(Skip.NO_FREE_BALANCE, text)
    if trigger is Trigger.CASH_FLOW:
        text = "to be sold completely ([exit]); the money that came or went is served first"
        return Reason(Skip.CASH_FLOW_FIRST, text)
    return Reason(Skip.NO_COUNTERPART, "to be sold completely ([exit]), once this plan is not refused")


def not_counted(asset: str) -> Reason:
    """Return why an asset beside the targets is left alone."""
    return Reason(Skip.NOT_COUNTED, f"{asset} is held but not in the targets: left alone and not counted")


def cash_lacks_its_keep(targets: Targets, held: Decimal) -> Denial:
    """Return the denial of an account with less cash than the owner wants untouched: no trade may mend that."""
    quote = targets.quote
    limit, value = plain(targets.kept[quote]), plain(held)
    text = f"the account holds {value} {quote}, less than [keep] says ({limit}): lower that, or add to it"
    return Denial(Deny.CASH_BELOW_KEEP, text, quote, limit, value)


def worthless(targets: Targets) -> Denial:
    """Return the denial of an account that holds none of its targets."""
    text = f"the account holds nothing of {', '.join(targets.assets)}: is this the right account?"
    return Denial(Deny.NAV_NOT_POSITIVE, text, limit="0", value="0")


def _acts(low: str, high: str) -> str:
    """Return between which weights nothing is done; from below nothing is where no order would be small enough."""
    return f"acts below {low} or above {high}" if low != percent(0) else f"acts above {high}"


def _edges(valuation: Valuation, index: int) -> tuple[str, str]:
    target, bands = valuation.targets[index], valuation.both_bands
    return percent(max(0.0, float(target - bands.below[index]))), percent(min(1.0, float(target + bands.above[index])))
