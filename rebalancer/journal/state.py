"""What the rows before add up to: all that decisions need of the past, and no more of it. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from rebalancer.core.ledger import Books, Trades
from rebalancer.core.model import RowsSeen, Side, Trade, Usage
from rebalancer.core.money import EXACT, ONE, ZERO
from rebalancer.core.orders import TERMINAL, UNRESOLVED, IntentState
from rebalancer.core.sizing import WHOLE
from rebalancer.core.targets import COOLDOWN_MAX_H, OrderType
from rebalancer.core.trust import CoinTrust
from rebalancer.journal.records import Binding

DAY = timedelta(hours=24)
REST_MAX = timedelta(hours=COOLDOWN_MAX_H)
# Of the exchange's time. Beyond whatever looks back: the limits (24 h, kept for 48), cool-downs (48 h), the scan for
# orders that we do not know (47 h) and the search for an unknown one (48 h); the rest is for signatures and clocks.
KEEP = timedelta(hours=72)
TRADED = frozenset({IntentState.FILLED, IntentState.PARTIAL})
SOUGHT = frozenset({IntentState.SENDING, IntentState.UNKNOWN})  # looked for among all orders since their signing
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class IntentRecord:
    """An intent and all that is known of what became of it."""

    run_id: str
    intent_seq: int
    asset: str
    symbol: str
    quote: str  # that the pair is priced in
    side: Side
    amount: Decimal
    notional_quote: Decimal
    client_order_id: str
    capped: bool
    state: IntentState
    order_type: OrderType = OrderType.MARKET
    price: Decimal | None = None  # the limit of an IOC order
    sent_amount: Decimal | None = None
    signed_at: datetime | None = None
    deadline: datetime | None = None
    balances_before: Mapping[str, Decimal] = field(default_factory=dict)
    venue_order_id: str = ""
    filled_quantity: Decimal = ZERO
    filled_quote: Decimal = ZERO
    fees: Mapping[str, Decimal] = field(default_factory=dict)
    text: str = ""
    not_found_at: tuple[datetime, ...] = ()  # exchange times of answers that found nothing, after the deadline
    unanswered_since: datetime | None = None  # exchange time from which on every question about it was refused
    changed_at: str = ""
    exchange_at: datetime | None = None  # of its plan, then of its signing: no order of it is older

    @property
    def key(self) -> Key:
        """Return the run and the number within it."""
        return self.run_id, self.intent_seq

    @property
    def has_rest(self) -> bool:
        """Whether less was filled than the planner wished: it was capped, cut when it was sent, or filled in part."""
        cut = self.sent_amount is not None and self.sent_amount < WHOLE * self.amount
        return self.capped or cut or self.state is not IntentState.FILLED


def balance_changes(record: IntentRecord) -> dict[str, Decimal]:
    """Return what a settled intent did to the balances, by asset, fees included."""
    sign = ONE if record.side is Side.BUY else -ONE
    changes = {
        record.asset: EXACT.multiply(sign, record.filled_quantity),
        record.quote: EXACT.multiply(-sign, record.filled_quote),
    }
    for asset, paid in record.fees.items():
        changes[asset] = EXACT.subtract(changes.get(asset, ZERO), paid)
    return changes


@dataclass(frozen=True, slots=True)
class Sent:
    """One order of the last day, for the rolling limits."""

    key: Key
    at: datetime
    side: Side
    notional_quote: Decimal  # in the account's quote coin
    direct: bool = False  # it sold one coin for another, and counts on both sides


@dataclass(frozen=True, slots=True)
class Halt:
    """A stop that waits for the owner."""

    seq: int
    code: str
    text: str
    since: str


@dataclass(frozen=True, slots=True)
class Approval:
    """The turnover that the owner allowed for one set of weights, and what was filled since."""

    weights_digest: str
    up_to_quote: Decimal
    sold_quote: Decimal = ZERO
    bought_quote: Decimal = ZERO

    @property
    def left_quote(self) -> Decimal:
        """Return what may still be turned over."""
        return min(self.left_on(Side.SELL), self.left_on(Side.BUY))

    def left_on(self, side: Side) -> Decimal:
        """Return what may still be sold, or bought."""
        return max(ZERO, self.up_to_quote - (self.sold_quote if side is Side.SELL else self.bought_quote))

    def used_by(self, record: IntentRecord, quote: str) -> Approval:
        """Return what is left after a fill; one coin sold for another counts on both sides, at its worth when sent."""
        direct = record.quote != quote
        amount = record.notional_quote if direct else record.filled_quote
        sold = amount if direct or record.side is Side.SELL else ZERO
        bought = amount if direct or record.side is Side.BUY else ZERO
        return replace(self, sold_quote=self.sold_quote + sold, bought_quote=self.bought_quote + bought)


@dataclass(slots=True)
class JournalState:
    """Everything that decisions need of the past. Changed only by `fold`, and by `forget` at a checkpoint."""

    binding: Binding | None = None
    fence: int = 0
    nonce: str = ""  # of this life of the journal
    last_slots: dict[str, datetime] = field(default_factory=dict)  # by schedule id
    intents: dict[Key, IntentRecord] = field(default_factory=dict)
    open_plan: str = ""  # run id of a live plan that is not closed
    open_plan_digest: str = ""  # of the weights that it serves once every leg was handled, if no limit cut it
    open_run: str = ""
    halts: dict[int, Halt] = field(default_factory=dict)
    answered_halts: frozenset[str] = frozenset()  # texts of halts that the owner acknowledged
    sent: tuple[Sent, ...] = ()
    amount_precision_symbols: frozenset[str] = frozenset()
    served_weights_digest: str = ""
    exchange_at: datetime | None = None  # of the last plan or order
    nav_validated_quote: Decimal | None = None
    mids: Mapping[str, Decimal] = field(default_factory=dict)  # of the last validated plan
    # What the account must hold by the last live plan's look and our fills since, and how much of that our fills moved.
    totals: Mapping[str, Decimal] = field(default_factory=dict)
    traded: Mapping[str, Decimal] = field(default_factory=dict)
    has_traded: bool = False
    books: Books | None = None  # as at the last look whose data passed
    since_books: Trades = field(default_factory=Trades)  # what our settled orders did after it
    flows: Mapping[str, Decimal] = field(default_factory=dict)  # what others moved, until a plan served it
    approval: Approval | None = None
    coins: Mapping[str, CoinTrust] = field(default_factory=dict)  # of every coin that was ever a target
    rows: RowsSeen = field(default_factory=RowsSeen)  # of the last look that passed, and what was bought since
    ever_held: frozenset[str] = frozenset()  # by any look, and what was ever bought

    def draft(self) -> JournalState:
        """Return a copy on which rows can be tried; what it holds is frozen, so its containers are enough."""
        made = copy.copy(self)
        made.last_slots, made.intents, made.halts = dict(self.last_slots), dict(self.intents), dict(self.halts)
        return made

    def forget(self) -> None:
        """Drop the intents that no decision asks for any more; what became of them stays in the rows.

        An intent stays while it is open or of an open run, while the limits count it, and while an order of it may
        still be met with: by the scan of recent orders, or by the search for the oldest one of unknown outcome.
        """
        sought = [record.exchange_at for record in self.unresolved if record.state in SOUGHT]
        horizon = min((at for at in (self.exchange_at, *sought) if at is not None), default=None)
        if horizon is None:
            return
        runs, counted = {self.open_plan, self.open_run}, {sent.key for sent in self.sent}
        self.intents = {
            key: record
            for key, record in self.intents.items()
            if record.state not in TERMINAL
            or record.run_id in runs
            or key in counted
            or record.exchange_at is None
            or record.exchange_at >= horizon - KEEP
        }

    @property
    def unresolved(self) -> tuple[IntentRecord, ...]:
        """Return the intents that forbid the next plan, oldest first."""
        return tuple(record for record in self.intents.values() if record.state in UNRESOLVED)

    def usage(self, now: datetime, weights_digest: str) -> Usage:
        """Return what the 24 hours before `now` took of the limits. What was never sent does not count."""
        recent = [sent for sent in self.sent if sent.at > now - DAY and not self._never_sent(sent.key)]
        changed = self.served_weights_digest not in ("", weights_digest)
        allowed = self.approval is not None and self.approval.weights_digest == weights_digest
        return Usage(
            sold_quote=sum((s.notional_quote for s in recent if s.side is Side.SELL or s.direct), ZERO),
            bought_quote=sum((s.notional_quote for s in recent if s.side is Side.BUY or s.direct), ZERO),
            direct_quote=sum((s.notional_quote for s in recent if s.direct), ZERO),
            orders=len(recent),
            nav_validated_quote=self.nav_validated_quote,
            coins=self.coins,
            has_traded=self.has_traded,
            targets_changed=changed,
            amount_precision_symbols=self.amount_precision_symbols,
            trades=self._trades(now - REST_MAX),
            flows=self.flows,
            acked_quote=self.approval.left_quote if allowed and self.approval else None,
            rows=self.rows,
            ever_held=self.ever_held,
        )

    def _trades(self, since: datetime) -> dict[str, Trade]:
        """Return the last order of each asset that traded."""
        made: dict[str, Trade] = {}
        for record in self.intents.values():
            if record.state not in TRADED or record.signed_at is None or record.signed_at <= since:
                continue
            other = Side.BUY if record.side is Side.SELL else Side.SELL
            for asset, side in ((record.asset, record.side), (record.quote, other)):
                if asset not in made or made[asset].at <= record.signed_at:
                    made[asset] = Trade(record.signed_at, side, record.has_rest)
        quote = self.binding.quote if self.binding is not None else ""
        return {asset: trade for asset, trade in made.items() if asset != quote}  # the cash never rests

    def _never_sent(self, key: Key) -> bool:
        return self.intents[key].state is IntentState.ABANDONED
