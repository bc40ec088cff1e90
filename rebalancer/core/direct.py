"""Chosen amounts on their way: what goes straight from coin to coin, and what is left for the quote coin. Pure.

Each coin's total stays what was chosen, whole lots aside. A direct leg spends a coin that this plan sells anyway, never
what another leg has yet to bring; so it can be paid whatever became of the legs before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from rebalancer.core.choice import is_payable
from rebalancer.core.collar import as_limit_sells
from rebalancer.core.crosses import Crossing, crossings
from rebalancer.core.depth import Walk, walk_book
from rebalancer.core.holdings import spendable
from rebalancer.core.legs import Cut, Setting, cut_of
from rebalancer.core.model import Side, Snapshot, Usage
from rebalancer.core.money import EXACT, ONE, ZERO, BaseAmount, QuoteAmount
from rebalancer.core.reasons import Reason
from rebalancer.core.routes import Way, choose_ways
from rebalancer.core.sizing import Sized, size_buy, size_collared_buy, size_sell, smallest_trade
from rebalancer.core.targets import Targets

DUST_SHARE = Decimal("0.0001")  # of NAV: what whole lots may leave untraded; the narrowest band is ten times that


@dataclass(frozen=True, slots=True)
class Straight:
    """One direct order: its size as the pair counts it, its worth and its saving in the account's quote coin."""

    crossing: Crossing
    size: BaseAmount | QuoteAmount
    notional_quote: Decimal  # of the coin spent, at its mid
    walk: Walk
    saves_quote: Decimal
    capped: bool

    @property
    def way(self) -> Way:
        """Return the coin sold and the coin bought."""
        return self.crossing.sell.asset, self.crossing.buy.asset


@dataclass(frozen=True, slots=True)
class Routed:
    """The orders of a plan by their way, and what the owner should know of pairs that were not used."""

    cuts: Sequence[Cut]
    straight: Sequence[Straight] = ()
    notes: tuple[str, ...] = ()


def route_directly(snapshot: Snapshot, targets: Targets, usage: Usage, cuts: Sequence[Cut], setting: Setting) -> Routed:
    """Return the same amounts over the cheapest ways; all over the quote coin where direct ones do not fit."""
    sells = {cut.wish.asset: cut for cut in cuts if cut.wish.side is Side.SELL}
    buys = {cut.wish.asset: cut for cut in cuts if cut.wish.side is Side.BUY}
    sold, bought = ([cut.wish for cut in side.values()] for side in (sells, buys))
    ways, notes = crossings(snapshot, sold, bought, setting.max_slippage_bps)
    amounts = choose_ways(
        {asset: cut.sized.notional_quote for asset, cut in sells.items()},
        {asset: cut.sized.notional_quote for asset, cut in buys.items()},
        {way: crossing.link(setting.max_slippage_bps) for way, crossing in ways.items()},
    )
    free = {asset: spendable(targets, snapshot.balances[asset]) for asset in sells}
    fitter = _Fitter(sells | buys, ways, usage.amount_precision_symbols, setting, free)
    straight = fitter.fit(amounts)
    rest = fitter.rest(straight)
    if len(rest) + len(straight) > setting.room.orders or not fitter.is_payable(rest):
        return Routed(cuts, notes=notes)
    return Routed(rest, straight, notes)


@dataclass(frozen=True, slots=True)
class _Fitter:
    """Sizes flows in the lots of their pairs, until what each coin has left is an order of its own or mere dust."""

    cuts: Mapping[str, Cut]
    ways: Mapping[Way, Crossing]
    amount_precision: frozenset[str]
    setting: Setting
    free: Mapping[str, Decimal]  # of the coins that are sold, without what is to be kept

    def fit(self, amounts: Mapping[Way, Decimal]) -> list[Straight]:
        """Return the direct orders; each round makes a flow smaller by an order's worth or drops it, so it ends."""
        flows = dict(amounts)
        while True:
            straight = self._sized(flows)
            flows = {each.way: flows[each.way] for each in straight}
            stuck = next((asset for asset in self.cuts if self._is_stuck(asset, straight)), None)
            if stuck is None:
                return straight
            way = max((way for way in flows if stuck in way), key=lambda each: (flows[each], each))
            missing = max(self._placeable(asset) - self._left(asset, straight) for asset in way)
            flows[way] = flows[way] - missing if missing > ZERO else ZERO

    def _sized(self, flows: Mapping[Way, Decimal]) -> list[Straight]:
        """Return the flows as orders, none larger than what its coins have left; those too small are left out."""
        made: list[Straight] = []
        for way, wished in flows.items():
            crossing = self.ways[way]
            amount = min(wished, *(self._left(asset, made) for asset in way))
            sized = self._size(crossing, amount) if amount > ZERO else None
            if sized is None:
                continue
            walk = walk_book(crossing.book, crossing.mid, sized.size)
            saves = sized.notional_quote * crossing.saving_at(walk.average_price)
            capped = any(self.cuts[asset].capped for asset in way)
            made.append(Straight(crossing, sized.size, sized.notional_quote, walk, saves, capped))
        return made

    def _size(self, crossing: Crossing, amount: Decimal) -> Sized | None:
        """Return an order that spends at most `amount` at the mid, in the lots and over the minimums of its pair."""
        rules, collar = crossing.rules, crossing.collar
        spent = EXACT.divide(amount, crossing.sell.mid)
        pair_quote_mid = self.cuts[rules.quote].wish.mid
        smallest = smallest_trade(rules, self.setting.nav_quote / pair_quote_mid)
        if crossing.side is Side.SELL:
            rules = rules if collar is None else as_limit_sells(rules)
            wish = EXACT.multiply(spent, crossing.mid)
            sized = size_sell(rules, wish_quote=wish, mid=crossing.mid, free=spent, smallest=smallest)
        elif collar is not None:
            wish = min(spent, self._committable(crossing, amount) * crossing.mid / collar)
            sized = size_collared_buy(rules, wish_quote=wish, mid=crossing.mid, collar=collar, smallest=smallest)
        else:
            precision = rules.symbol in self.amount_precision
            sized = size_buy(rules, wish_quote=spent, smallest=smallest, amount_precision=precision)
        if isinstance(sized, Reason):
            return None
        # The worth of a sell is that of what it gives up; a collared buy commits more than its worth at the mid.
        given = sized.size.value if crossing.side is Side.SELL else sized.notional_quote
        return Sized(sized.size, EXACT.multiply(given, crossing.sell.mid))

    def _committable(self, crossing: Crossing, amount: Decimal) -> Decimal:
        """Return how many coins an order for `amount` may commit: all that the other orders do not need."""
        sell = crossing.sell
        others = EXACT.subtract(self.cuts[sell.asset].sized.notional_quote, amount)
        return self.free[sell.asset] - EXACT.divide(others, sell.mid)

    def _left(self, asset: str, straight: Sequence[Straight]) -> Decimal:
        """Return how much value of a coin's chosen amount the direct orders leave."""
        gone = sum((each.notional_quote for each in straight if asset in each.way), ZERO)
        return EXACT.subtract(self.cuts[asset].sized.notional_quote, gone)

    def _placeable(self, asset: str) -> Decimal:
        """Return the value from which a remainder is an order of its own against the quote coin."""
        wish = self.cuts[asset].wish
        least = max(smallest_trade(wish.rules, self.setting.nav_quote), wish.rules.sell_quantity_min * wish.mid)
        return least + wish.rules.lot_size * wish.mid

    def _is_stuck(self, asset: str, straight: Sequence[Straight]) -> bool:
        """Return whether a coin that goes direct has more left than dust, and too little for an order."""
        touching = [each for each in straight if asset in each.way]
        left = self._left(asset, straight)
        return bool(touching) and left > self._dust(asset, touching) and self._remainder(asset, left) is None

    def _dust(self, asset: str, touching: Sequence[Straight]) -> Decimal:
        """Return what whole lots may leave of a coin: less than one of each of its orders, and little of NAV."""
        wish = self.cuts[asset].wish
        lots = wish.rules.lot_size * wish.mid
        for each in touching:
            crossing = each.crossing
            if crossing.side is Side.SELL:
                lots += crossing.rules.lot_size * crossing.sell.mid
            elif crossing.collar is not None:
                lots += crossing.rules.lot_size * crossing.mid * crossing.sell.mid
            else:
                lots += max(crossing.rules.quote_step, crossing.rules.lot_size) * crossing.sell.mid
        return min(lots, DUST_SHARE * self.setting.nav_quote)

    def _remainder(self, asset: str, left: Decimal) -> Cut | None:
        cut = self.cuts[asset]
        size = cut.wish.ladder.down(left)
        return None if size is None else replace(cut_of(cut.wish, size, self.setting), capped=cut.capped)

    def rest(self, straight: Sequence[Straight]) -> list[Cut]:
        """Return what is still to be done against the quote coin."""
        made = []
        for asset, cut in self.cuts.items():
            touched = any(asset in each.way for each in straight)
            left = self._remainder(asset, self._left(asset, straight)) if touched else cut
            made += [left] if left is not None else []
        return made

    def is_payable(self, rest: Sequence[Cut]) -> bool:
        """Return whether cash and the sells for it pay for the buys: whole lots may have taken from the sells."""
        sells = [cut for cut in rest if cut.wish.side is Side.SELL]
        proceeds = sum((cut.sized.notional_quote * (ONE - cut.wish.fee_rate) for cut in sells), ZERO)
        spent = sum((cut.sized.notional_quote for cut in rest if cut.wish.side is Side.BUY), ZERO)
        return is_payable(spent, self.setting.cash_free, proceeds)
