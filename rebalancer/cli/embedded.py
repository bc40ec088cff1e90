"""The embedded exchange as a venue for the real client: in process, with a drifted example account."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from rebalancer.durable import write_durably
from rebalancer.errors import ConfigError
from rebalancer.seams import Clock
from rebalancer.simulator.exchange import Exchange
from rebalancer.simulator.market import Market
from rebalancer.simulator.state import State, User
from rebalancer.simulator.transport import InProcessTransport, SavingTransport

SEED = 20260101
BASE_URL = "http://127.0.0.1:1"
ACCESS_KEY, SECRET_KEY = "embedded-access-key", "embedded-secret-key"  # open nothing but the example account
STATE_NAME = "exchange.json"
# About 12,000 USDT, drifted from the example targets in both directions; DOGE is held beside them.
EXAMPLE = {
    "BTC": Decimal("0.0621"),
    "ETH": Decimal("0.745"),
    "SOL": Decimal("12.4"),
    "XRP": Decimal(310),
    "LINK": Decimal("52.5"),
    "USDT": Decimal("1240.55"),
    "DOGE": Decimal(150),
}


@dataclass(frozen=True)
class Embedded:
    """An exchange in this process, and how to talk to it."""

    exchange: Exchange
    user: User
    transport: InProcessTransport
    base_url: str = BASE_URL
    key_pair: tuple[str, str] = (ACCESS_KEY, SECRET_KEY)


def open_embedded(folder: Path | None, clock: Clock) -> Embedded:
    """Open the exchange kept in `folder`, or a new one; without a folder it is forgotten afterwards."""
    path = None if folder is None else folder / STATE_NAME
    exchange = load_exchange(path) if path is not None and path.exists() else new_exchange(clock)
    if path is None:
        transport = InProcessTransport(exchange, clock)
    else:
        transport = SavingTransport(exchange, clock, save=lambda: save_exchange(path, exchange))
    return Embedded(exchange, exchange.state.users[ACCESS_KEY], transport)


def new_exchange(clock: Clock) -> Exchange:
    """Return the default market as of now, with the example account."""
    market = Market(seed=SEED, anchor_ms=int(clock.now().timestamp() * 1000))
    exchange = Exchange(market)
    exchange.add_user(ACCESS_KEY, SECRET_KEY, EXAMPLE)
    return exchange


def load_exchange(path: Path, market: Market | None = None) -> Exchange:
    """Return a saved exchange, on its own market or on a given one; ConfigError when the file is not one."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != 1:
            raise ConfigError(f"{path}: version {document['version']} is not known; move the file away to start anew")
        state = State.load(document)
        found = market or Market(seed=document["seed"], anchor_ms=document["anchor_ms"])
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as exc:
        raise ConfigError(f"{path}: not a saved exchange ({type(exc).__name__}); move it away to start anew") from None
    return Exchange(found, state=state)


def save_exchange(path: Path, exchange: Exchange) -> None:
    """Replace the saved state, durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, json.dumps(exchange.dump(), indent=1).encode(), 0o640)
