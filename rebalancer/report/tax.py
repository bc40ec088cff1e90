"""Trades as the two tax programs take them: CoinTracking's import and Koinly's universal format. Pure, and exact.

They count fees differently. At CoinTracking amounts are what really left and came, a fee in either coin included, and
one in a third coin is a row of its own. At Koinly amounts are without the fee, which is taken off besides.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from rebalancer.core.money import EXACT, ZERO, plain
from rebalancer.journal.trades import Traded

COINTRACKING = (
    "Type", "Buy Amount", "Buy Currency", "Sell Amount", "Sell Currency", "Fee", "Fee Currency", "Exchange",
    "Trade-Group", "Comment", "Date", "Liquidity pool", "Tx-ID", "Buy Value in Account Currency",
    "Sell Value in Account Currency",
)  # fmt: skip
KOINLY = (
    "Date", "Sent Amount", "Sent Currency", "Received Amount", "Received Currency", "Fee Amount", "Fee Currency",
    "Net Worth Amount", "Net Worth Currency", "Label", "Description", "TxHash",
)  # fmt: skip
GROUP = "rebalancer"
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class TaxSetting:
    """What a trade does not know of itself: where it was made, and what its value counts.

    `values`: the owner's account at CoinTracking counts in the quote coin's currency, so that values may stand there.
    """

    exchange: str
    quote: str
    values: bool = False


def cointracking_csv(trades: Iterable[Traded], setting: TaxSetting) -> str:
    """Return CoinTracking's import, its fifteen columns."""
    return _csv(COINTRACKING, (row for trade in trades for row in cointracking_rows(trade, setting)))


def koinly_csv(trades: Iterable[Traded], setting: TaxSetting) -> str:
    """Return Koinly's universal format."""
    return _csv(KOINLY, (row for trade in trades for row in koinly_rows(trade, setting)))


def cointracking_rows(trade: Traded, setting: TaxSetting) -> list[Row]:
    """Return a trade as a row, and a row more for each fee in a third coin."""
    sold = EXACT.add(trade.spent_amount, trade.fees.get(trade.spent, ZERO))
    bought = EXACT.subtract(trade.received_amount, trade.fees.get(trade.received, ZERO))
    inside = [asset for asset in (trade.received, trade.spent) if trade.fees.get(asset, ZERO) > 0]
    value = plain(trade.value_quote) if setting.values and trade.value_quote is not None else ""
    common = {"Exchange": setting.exchange, "Trade-Group": GROUP, "Date": f"{trade.at:%Y-%m-%d %H:%M:%S}"}
    rows = [
        common
        | {
            "Type": "Trade",
            "Buy Amount": plain(bought),
            "Buy Currency": trade.received,
            "Sell Amount": plain(sold),
            "Sell Currency": trade.spent,
            **({"Fee": plain(trade.fees[inside[0]]), "Fee Currency": inside[0]} if inside else {}),
            "Comment": _words(trade, setting.quote),
            "Tx-ID": _name(trade),
            "Buy Value in Account Currency": value,
            "Sell Value in Account Currency": value,
        }
    ]
    for asset, fee in trade.fees.items():
        if asset in (trade.received, trade.spent):
            continue
        worth = trade.fees_quote.get(asset)
        rows.append(
            common
            | {
                "Type": "Other Fee",
                "Sell Amount": plain(fee),
                "Sell Currency": asset,
                "Comment": f"fee of {_name(trade)}{_worth(worth, setting.quote)}",
                "Tx-ID": f"{_name(trade)}-fee-{asset}",
                "Sell Value in Account Currency": plain(worth) if setting.values and worth is not None else "",
            }
        )
    return rows


def koinly_rows(trade: Traded, setting: TaxSetting) -> list[Row]:
    """Return a trade as a row with its first fee, and a row of costs for each further one."""
    # What came back instead of being charged is part of the amount: no fee is below zero there.
    back = {asset: fee for asset, fee in trade.fees.items() if fee < 0}
    first, *more = [(asset, fee) for asset, fee in trade.fees.items() if fee > 0] or [("", ZERO)]
    common = {"Date": f"{trade.at:%Y-%m-%d %H:%M:%S} UTC"}
    rows = [
        common
        | {
            "Sent Amount": plain(EXACT.add(trade.spent_amount, back.get(trade.spent, ZERO))),
            "Sent Currency": trade.spent,
            "Received Amount": plain(EXACT.subtract(trade.received_amount, back.get(trade.received, ZERO))),
            "Received Currency": trade.received,
            **({"Fee Amount": plain(first[1]), "Fee Currency": first[0]} if first[0] else {}),
            **_net_worth(trade.value_quote, setting.quote),
            "Description": _words(trade, setting.quote),
            "TxHash": _name(trade),
        }
    ]
    for asset, fee in more:
        rows.append(
            common
            | {
                "Sent Amount": plain(fee),
                "Sent Currency": asset,
                **_net_worth(trade.fees_quote.get(asset), setting.quote),
                "Label": "cost",
                "Description": f"fee of {_name(trade)}",
                "TxHash": f"{_name(trade)}-fee-{asset}",
            }
        )
    return rows


def _net_worth(value: Decimal | None, quote: str) -> Row:
    return {} if value is None else {"Net Worth Amount": plain(value), "Net Worth Currency": quote}


def _name(trade: Traded) -> str:
    """Return the exchange's number of an order; one that never told it goes by its run."""
    return trade.venue_order_id or f"{trade.run_id}/{trade.intent_seq}"


def _words(trade: Traded, quote: str) -> str:
    said = "; amounts by the owner's word, fee unknown" if trade.owner_said else ""
    return f"{trade.symbol}, {trade.run_id}/{trade.intent_seq}{_worth(trade.value_quote, quote)}{said}"


def _worth(value: Decimal | None, quote: str) -> str:
    return "" if value is None else f"; worth {plain(value)} {quote} then"


def _csv(columns: tuple[str, ...], rows: Iterable[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
