"""Which coins may trade on a look, at what prices all are counted, and what is remembered of it. Pure.

A doubt about one coin stops that coin alone: it is valued at the last price that passed, neither trades nor makes the
others trade. A doubt about balances, the quote coin, or too many coins stops the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from rebalancer.core.absent import count_rows
from rebalancer.core.guards import FREEZING, NOT_OF_PRICE, OF_MOVES, PEG_OFF_MAX, beyond, doubts_of
from rebalancer.core.holdings import counted
from rebalancer.core.model import Balance, Snapshot, Usage
from rebalancer.core.money import HUNDRED, ONE, ZERO
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny
from rebalancer.core.targets import Targets
from rebalancer.core.trust import UNKNOWN, CoinState, CoinTrust

DOUBTFUL_COINS_MAX = 3  # at most one coin of so many
DOUBTFUL_SHARE_MAX = Decimal("0.30")  # of NAV


@dataclass(frozen=True, slots=True)
class Judged:
    """One look at all target coins. A doubtful coin's price is the last that passed, and there is none before one did.

    `trust` is what is remembered after this look; it names every coin but the quote coin, doubtful or not. `balances`
    are what the plan is made on: they hold a zero row for each coin that the owner said is not held.
    """

    prices: Mapping[str, Decimal]
    balances: Mapping[str, Balance]
    trust: Mapping[str, CoinTrust] = field(default_factory=dict)
    denials: tuple[Denial, ...] = ()
    unproven: frozenset[str] = frozenset()  # coins whose price was never seen to pass before, or that have no row

    @property
    def doubtful(self) -> frozenset[str]:
        """Return the coins that do not trade."""
        return frozenset(asset for asset, coin in self.trust.items() if coin.state is not CoinState.NORMAL)


def judge(snapshot: Snapshot, targets: Targets, usage: Usage) -> Judged:
    """Return the verdict on every target coin, given what is remembered of each; denials in the file's order."""
    prices, trust, denials = {targets.quote: ONE}, {}, []
    rows = count_rows(snapshot, targets, usage)
    doubts: dict[str, list[Denial]] = {}
    for asset in targets.assets:
        denials += [denial for denial in rows.denials if denial.asset == asset]
        if asset == targets.quote:
            continue
        known = usage.coins.get(asset, UNKNOWN).listed(snapshot.taken_at, has_row=asset in snapshot.balances)
        doubts[asset] = list(doubts_of(snapshot, asset, known))
        passes = all(doubt.code in NOT_OF_PRICE for doubt in doubts[asset])
        trust[asset] = _remembered(snapshot, asset, known, doubts[asset], passes=passes)
        price = _mid(snapshot, asset) if passes else known.price
        if price is None:  # nothing is planned on it: what the book says is for the report alone
            denials += doubts[asset]
            price = _mid(snapshot, asset)
        if price is not None:
            prices[asset] = price
        if asset in snapshot.rules and snapshot.rules[asset].leveraged:
            text = f"{asset} is a leveraged token; these are never traded"
            denials.append(Denial(Deny.LEVERAGED_TOKEN, text, asset))
    if not denials:
        denials += _too_many(rows.balances, targets, prices, trust, doubts)
    if snapshot.peg is not None:
        what = f"{targets.quote} against a second stable coin is off and"
        denials += beyond(Deny.QUOTE_DEPEGGED, targets.quote, what, abs(snapshot.peg - 1), PEG_OFF_MAX)
    unproven = frozenset(asset for asset, coin in trust.items() if not coin.is_proven or coin.excused)
    return Judged(prices, rows.balances, trust, tuple(denials), unproven)


def _mid(snapshot: Snapshot, asset: str) -> Decimal | None:
    book = snapshot.books.get(asset)
    return book.mid if book is not None and book.mid is not None and book.mid > ZERO else None


def _remembered(snapshot: Snapshot, asset: str, known: CoinTrust, doubts: list[Denial], *, passes: bool) -> CoinTrust:
    """Return what is known of a coin after this look, at which its price passes or not."""
    at, mid, made = snapshot.taken_at, _mid(snapshot, asset), known
    if passes:
        assert mid is not None, asset
        made = known.passed(mid, at)
    elif known.is_proven and mid is not None and all(doubt.code in NOT_OF_PRICE | OF_MOVES for doubt in doubts):
        made = known.told(mid, at)
    frozen = known.state is CoinState.FROZEN or any(doubt.code in FREEZING for doubt in doubts)
    state = CoinState.FROZEN if frozen else CoinState.SUSPECT if doubts else CoinState.NORMAL
    if state is CoinState.NORMAL:
        return replace(made, state=state, since=None, why="")
    freezing = [doubt for doubt in doubts if doubt.code in FREEZING]
    why = (freezing or doubts)[0].text if doubts else known.why
    if known.state is CoinState.FROZEN and not freezing:
        why = known.why
    return replace(made, state=state, since=known.since if state is known.state else at, why=why)


def _too_many(
    balances: Mapping[str, Balance],
    targets: Targets,
    prices: Mapping[str, Decimal],
    trust: Mapping[str, CoinTrust],
    doubts: Mapping[str, list[Denial]],
) -> list[Denial]:
    """Return why the coins that can be trusted are too few to plan with, each doubt named with it."""
    doubtful = [asset for asset in trust if trust[asset].state is not CoinState.NORMAL]
    if not doubtful:
        return []
    worth = {a: counted(targets, a, balances[a].total) * prices[a] for a in targets.assets}
    share = sum((worth[asset] for asset in doubtful), ZERO) / (sum(worth.values(), ZERO) or ONE)
    number = f"{len(doubtful)} of {len(trust)} coins"
    counts = f"{number} ({', '.join(doubtful)}), {share * HUNDRED:.1f} % of the portfolio, cannot be trusted now"
    made = [doubt for asset in doubtful for doubt in doubts[asset]]
    if len(doubtful) * DOUBTFUL_COINS_MAX > len(trust):
        limit = f"1 in {DOUBTFUL_COINS_MAX}"
        text = f"{counts}: more than one coin in {DOUBTFUL_COINS_MAX} is too many to plan around"
        return [*made, Denial(Deny.TOO_MANY_DOUBTS, text, limit=limit, value=number)]
    if share > DOUBTFUL_SHARE_MAX:
        limit = f"{DOUBTFUL_SHARE_MAX * HUNDRED:.0f} % of NAV"
        text = f"{counts}: more than {limit} is too much to plan around"
        return [*made, Denial(Deny.TOO_MANY_DOUBTS, text, limit=limit, value=f"{share * HUNDRED:.1f} %")]
    return []
