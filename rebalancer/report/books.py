"""The account's books for a reader: what rebalancing cost and brought, as lines and as a document. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rebalancer.core.canonical import moment_text
from rebalancer.core.ledger import Books
from rebalancer.core.money import plain
from rebalancer.report.words import amount, money

STEP = Decimal("0.00000001")  # of derived amounts; what is held keeps all its digits


def books_document(books: Books) -> dict[str, Any]:
    """Return the books as JSON values."""
    return {
        "at": moment_text(books.at),
        "opened_at": moment_text(books.opened_at),
        "nav_quote": _money(books.nav_quote),
        "never_rebalanced_quote": _money(books.never_quote),
        "frictionless_quote": _money(books.frictionless_quote),
        "flows": _amounts(books.flows),
        "flows_quote": _money(books.flows_quote),
        "fees": _amounts(books.fees),
        "fees_quote": _money(books.fees_quote),
        "slip_quote": _money(books.slip_quote),
        "notional_quote": _money(books.notional_quote),
        "orders": books.orders,
        "adds_up": not books.differing(),
    }


def books_lines(books: Books, quote: str) -> list[str]:
    """Return the books in plain sentences, one a line."""
    fees = " + ".join(f"{amount(paid)} {asset}" for asset, paid in books.fees.items()) or "none"
    flows = ", ".join(f"{_signed(moved)} {asset}" for asset, moved in books.flows.items()) or "none"
    off = books.differing()
    return [
        (
            f"since {books.opened_at:%Y-%m-%d %H:%M} UTC, in {quote}: {money(books.nav_quote)} now; "
            f"{money(books.never_quote)} had nothing been traded; "
            f"{money(books.frictionless_quote)} at the targets without any cost"
        ),
        (
            f"{books.orders} order(s) of {money(books.notional_quote)}; fees {fees} (about {money(books.fees_quote)}), "
            f"slippage {money(books.slip_quote)}"
        ),
        f"in and out by other hands: {flows}",
        "opening, flows and orders add up to the balances to the last digit"
        if not off
        else "THEY DO NOT ADD UP: " + ", ".join(f"{_signed(left)} {asset}" for asset, left in off.items()),
    ]


def _signed(value: Decimal) -> str:
    return f"{'+' if value > 0 else ''}{plain(value)}"


def _money(value: Decimal) -> str:
    return plain(value.quantize(STEP))


def _amounts(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {asset: plain(each) for asset, each in amounts.items()}
