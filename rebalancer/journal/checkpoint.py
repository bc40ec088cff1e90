"""The state as one JSON document and back, exact both ways: what a checkpoint holds. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from decimal import Decimal
from typing import Any, TypeVar

from rebalancer.core.canonical import canonical, parse_moment
from rebalancer.core.ledger import Books, Trades
from rebalancer.core.model import RowsSeen, Side
from rebalancer.core.orders import IntentState
from rebalancer.core.targets import OrderType
from rebalancer.core.trust import read_trust, trust_document
from rebalancer.journal.records import Binding
from rebalancer.journal.rows import Row
from rebalancer.journal.state import Approval, Halt, IntentRecord, JournalState, Sent

# Goes up with every change of what the state holds or of how the rows fold into it: a checkpoint of another format is
# passed over, at the price of a fold from further back, and is not compared.
FORMAT = 9
Reader = Callable[[Any], Any]
T = TypeVar("T")


def state_document(state: JournalState) -> dict[str, Any]:
    """Return all that a state holds, for `canonical`; what has an order of its own is a list."""
    made = {each.name: getattr(state, each.name) for each in fields(state)}
    return made | {
        "format": FORMAT,
        "binding": None if state.binding is None else asdict(state.binding),
        "intents": [asdict(record) for record in state.intents.values()],
        "halts": [asdict(halt) for halt in state.halts.values()],
        "sent": [asdict(sent) for sent in state.sent],
        "books": None if state.books is None else asdict(state.books),
        "since_books": asdict(state.since_books),
        "coins": trust_document(state.coins),
        "rows": asdict(state.rows),
        "approval": None if state.approval is None else asdict(state.approval),
    }


def read_state(document: Mapping[str, Any]) -> JournalState:
    """Return the state that `state_document` wrote, from its JSON; ValueError when a part is missing or unknown."""
    rest = {name: value for name, value in document.items() if name != "format"}
    return _read(JournalState, rest, _STATE)


def text_of(state: JournalState) -> str:
    """Return a state as its checkpoint holds it."""
    return canonical(state_document(state))


def is_readable(row: Row) -> bool:
    """Return whether a checkpoint is of the format that this program writes."""
    return bool(json.loads(row.payload_text).get("format") == FORMAT)


def _read(cls: type[T], document: Mapping[str, Any], readers: Mapping[str, Reader]) -> T:
    """Return a dataclass of its document; what no reader is named for is text, a number or a truth already."""
    names = {each.name for each in fields(cls)}  # type: ignore[arg-type]
    if document.keys() != names:
        raise ValueError(f"{cls.__name__} has or lacks {sorted(names ^ document.keys())}")
    return cls(**{name: readers[name](value) if name in readers else value for name, value in document.items()})


def _optional(reader: Reader) -> Reader:
    return lambda value: None if value is None else reader(value)


def _amounts(document: Mapping[str, str]) -> dict[str, Decimal]:
    return {asset: Decimal(amount) for asset, amount in document.items()}


def _moments(document: Mapping[str, str]) -> dict[str, Any]:
    return {name: parse_moment(text) for name, text in document.items()}


def _intent(document: Mapping[str, Any]) -> IntentRecord:
    return _read(IntentRecord, document, _INTENT)


def _sent(document: Mapping[str, Any]) -> Sent:
    return _read(Sent, document, {"key": _key, "at": parse_moment, "side": Side, "notional_quote": Decimal})


def read_books(document: Mapping[str, Any]) -> Books:
    """Return the books of a ledger row; ValueError when a part is missing or unknown."""
    return _read(Books, document, _BOOKS)


def _halt(document: Mapping[str, Any]) -> Halt:
    return _read(Halt, document, {})


def _approval(document: Mapping[str, Any]) -> Approval:
    amounts = ("up_to_quote", "sold_quote", "bought_quote")
    return _read(Approval, document, dict.fromkeys(amounts, Decimal))


def _key(value: tuple[str, int]) -> tuple[str, int]:
    run_id, intent_seq = value
    return run_id, intent_seq


_INTENT: Mapping[str, Reader] = {
    "side": Side,
    "amount": Decimal,
    "notional_quote": Decimal,
    "state": IntentState,
    "order_type": OrderType,
    "price": _optional(Decimal),
    "sent_amount": _optional(Decimal),
    "signed_at": _optional(parse_moment),
    "deadline": _optional(parse_moment),
    "balances_before": _amounts,
    "filled_quantity": Decimal,
    "filled_quote": Decimal,
    "fees": _amounts,
    "not_found_at": lambda texts: tuple(map(parse_moment, texts)),
    "unanswered_since": _optional(parse_moment),
    "exchange_at": _optional(parse_moment),
}
_TRADES: Mapping[str, Reader] = {
    "changes": _amounts,
    "fees": _amounts,
    "slip_quote": Decimal,
    "notional_quote": Decimal,
}
_BOOKS: Mapping[str, Reader] = {
    **_TRADES,
    **dict.fromkeys(("at", "opened_at"), parse_moment),
    **dict.fromkeys(("prices", "held", "weights", "opening", "never", "flows"), _amounts),
    **dict.fromkeys(("frictionless_quote", "flows_quote", "fees_quote"), Decimal),
}
_STATE: Mapping[str, Reader] = {
    "binding": _optional(lambda document: _read(Binding, document, {})),
    "last_slots": _moments,
    "intents": lambda documents: {record.key: record for record in map(_intent, documents)},
    "halts": lambda documents: {halt.seq: halt for halt in map(_halt, documents)},
    "answered_halts": frozenset,
    "sent": lambda documents: tuple(map(_sent, documents)),
    "amount_precision_symbols": frozenset,
    "exchange_at": _optional(parse_moment),
    "nav_validated_quote": _optional(Decimal),
    "mids": _amounts,
    "coins": read_trust,
    "rows": lambda document: _read(RowsSeen, document, {"held": frozenset}),
    "ever_held": frozenset,
    "totals": _amounts,
    "traded": _amounts,
    "books": _optional(read_books),
    "since_books": lambda document: _read(Trades, document, _TRADES),
    "flows": _amounts,
    "approval": _optional(_approval),
}
