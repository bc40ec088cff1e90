"""What the exchange holds: users with keys, accounts with balances, orders with fills. Saved and loaded as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import ROUND_FLOOR, Context, Decimal
from functools import reduce
from typing import Any

ZERO = Decimal(0)
EIGHTEEN = Decimal(1).scaleb(-18)
WIDE = Context(prec=60)
SPOT_ACCOUNT_ID = 10101010


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the sum to its last digit."""
    return reduce(WIDE.add, amounts, ZERO)


@dataclass(slots=True)
class Wallet:
    """One currency of an account."""

    trade: Decimal = ZERO
    frozen: Decimal = ZERO


@dataclass(slots=True)
class Trade:
    """One fill of an order."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    points: Decimal = ZERO
    deduct_currency: str = ""
    at_ms: int = 0


@dataclass(slots=True)
class SimOrder:
    """One order as the exchange knows it; `amount` is quote for a market buy."""

    order_id: int
    account_id: int
    symbol: str
    kind: str  # buy-market, sell-market, buy-limit …
    amount: Decimal
    client_order_id: str
    created_ms: int
    due_ms: int  # when the matching engine takes it
    state: str = "submitted"
    price: Decimal = ZERO
    finished_ms: int = 0
    canceled_ms: int = 0
    canceled_source: int | None = None
    canceled_desc: str | None = None
    visible_ms: int = 0  # queries before this find nothing
    half_fill: bool = False  # a fault: stop half-way
    trades: list[Trade] = field(default_factory=list)

    @property
    def side(self) -> str:
        """Return `buy` or `sell`."""
        return self.kind.partition("-")[0]

    @property
    def is_market(self) -> bool:
        """Whether this is a market order."""
        return self.kind.endswith("-market")

    @property
    def is_ioc(self) -> bool:
        """Whether this is a limit order that ends at once."""
        return self.kind.endswith("-ioc")

    @property
    def ends_at_once(self) -> bool:
        """Whether the engine takes this order once and never lets it rest."""
        return self.is_market or self.is_ioc

    @property
    def reserve(self) -> Decimal:
        """Return what the order locks: quote for a buy, base for a sell."""
        return WIDE.multiply(self.amount, self.price) if self.kind in ("buy-ioc", "buy-limit") else self.amount

    @property
    def filled(self) -> Decimal:
        """Return the base quantity filled."""
        return total(trade.quantity for trade in self.trades)

    @property
    def cash(self) -> Decimal:
        """Return the quote traded, cut at 18 decimals."""
        exact = total(WIDE.multiply(trade.price, trade.quantity) for trade in self.trades)
        return exact.quantize(EIGHTEEN, ROUND_FLOOR, WIDE)

    @property
    def fees(self) -> Decimal:
        """Return the nominal fee in the received currency."""
        return total(trade.fee for trade in self.trades)


@dataclass(slots=True)
class User:
    """One user, its key and its accounts; the spot account is not the first in the list."""

    access_key: str
    secret_key: str
    uid: int = 90000001
    spot_id: int = SPOT_ACCOUNT_ID
    permissions: tuple[str, ...] = ("readOnly", "trade")
    ip_addresses: tuple[str, ...] = ()
    days_valid: int = -1
    expires_ms: int | None = None
    sub_user: bool = False
    locked: bool = False  # the spot account, by the exchange
    wallets: dict[str, Wallet] = field(default_factory=dict)
    unlisted: list[str] = field(default_factory=list)  # currencies that the balance leaves out, held or not

    def wallet(self, currency: str) -> Wallet:
        """Return a currency's wallet, made empty at first use."""
        return self.wallets.setdefault(currency, Wallet())

    def accounts(self) -> list[dict[str, Any]]:
        """Return the rows of `/v1/account/accounts`."""
        kinds = (("point", self.spot_id + 1), ("spot", self.spot_id), ("margin", self.spot_id + 2))
        return [
            {
                "id": number,
                "type": kind,
                "subtype": "btcusdt" if kind == "margin" else "",
                "state": self.spot_state if kind == "spot" else "working",
            }
            for kind, number in kinds
        ]

    @property
    def spot_state(self) -> str:
        """Return the state of the spot account in HTX's words."""
        return "lock" if self.locked else "working"


@dataclass(slots=True)
class State:
    """Everything that survives a restart of the exchange."""

    users: dict[str, User] = field(default_factory=dict)
    orders: dict[int, SimOrder] = field(default_factory=dict)
    next_id: int = 1_000_000_000_000_001

    def take_id(self) -> int:
        """Return a new id, for an order or a trade."""
        self.next_id += 1
        return self.next_id

    def dump(self) -> dict[str, Any]:
        """Return everything as JSON values; Decimals as text."""
        document = asdict(self)
        texts = _texts(document)
        assert isinstance(texts, dict)
        return texts

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> State:
        """Return the state that `dump` wrote."""
        users = {key: _user(row) for key, row in document["users"].items()}
        orders = {int(key): _order(row) for key, row in document["orders"].items()}
        return cls(users, orders, document["next_id"])


def _texts(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return {str(key): _texts(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(each) for each in value]
    return value


def _user(row: dict[str, Any]) -> User:
    wallets = {
        name: Wallet(Decimal(wallet["trade"]), Decimal(wallet["frozen"])) for name, wallet in row["wallets"].items()
    }
    tuples = {name: tuple(row[name]) for name in ("permissions", "ip_addresses")}
    return User(**{**row, **tuples, "wallets": wallets})


def _order(row: dict[str, Any]) -> SimOrder:
    figures = ("price", "quantity", "fee", "points")
    trades = [Trade(**{**trade, **{name: Decimal(trade[name]) for name in figures}}) for trade in row["trades"]]
    return SimOrder(**{**row, "amount": Decimal(row["amount"]), "price": Decimal(row["price"]), "trades": trades})
