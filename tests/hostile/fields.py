"""What the client reads of each answer, told by the names of its fields: so a change of one has a known consequence."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a field is to the client."""

    WHOLE = "whole"  # an integer that must be there, as a number or as digits in text
    NUMBER = "number"  # an exact number that must be there
    TEXT = "text"  # a word that must be there
    BRANCH = "branch"  # an object or a list that must be there
    ROW = "row"  # an entry of a list that must be there
    OPTIONAL = "optional"  # read, but the answer may do without it, or without the row it stands in
    UNREAD = "unread"


def _kinds(whole: str = "", number: str = "", text: str = "", branch: str = "", optional: str = "") -> dict[str, Kind]:
    pairs = (
        (Kind.WHOLE, whole), (Kind.NUMBER, number), (Kind.TEXT, text), (Kind.BRANCH, branch), (Kind.OPTIONAL, optional),
    )  # fmt: skip
    return {name: kind for kind, names in pairs for name in names.split()}


_ORDER = _kinds(
    whole="id account-id created-at",
    number="amount field-amount field-cash-amount field-fees filled-amount filled-cash-amount filled-fees",
    text="status symbol type state",
    branch="data",
    optional="client-order-id next-time price",
)
READS: dict[str, dict[str, Kind]] = {
    "timestamp": _kinds(whole="data", text="status"),
    "market-status": _kinds(whole="code marketStatus", branch="data", optional="affectedSymbols haltEndTime"),
    # A symbol that cannot be read is left out, and so is a ticker.
    "market-symbols": _kinds(
        text="status",
        branch="data",
        optional="symbol bc qc state at pp ap vp minov smminoa smmaxoa bmmaxov tags lominoa lomaxoa lomaxba lomaxsa",
    ),
    "tickers": _kinds(text="status symbol", branch="data", optional="close open bid ask"),
    "depth": _kinds(text="status", branch="tick bids asks", optional="ch ts"),
    "kline": _kinds(whole="id", number="open high low close", text="status", branch="data", optional="ch"),
    "fee-rate": _kinds(whole="code", number="takerFeeRate actualTakerRate", text="symbol", branch="data"),
    "accounts": _kinds(whole="id", text="status type state", branch="data"),
    "balance": _kinds(whole="id", number="balance", text="status type state currency", branch="data list"),
    "uid": _kinds(whole="code data"),
    "api-key": _kinds(whole="code validDays", text="accessKey permission", branch="data", optional="ipAddresses"),
    "place": _kinds(whole="data", text="status"),
    "order": _ORDER,
    "client-order": _ORDER,
    "open-orders": _ORDER,
    "order-search": _ORDER,
    "order-history": _ORDER,
    "order-fills": _kinds(
        whole="id order-id created-at",
        number="price filled-amount filled-fees filled-points",
        text="status symbol type",
        branch="data",
        optional="fee-currency fee-deduct-currency fee-deduct-state",
    ),
}
# A row of these that stands there twice, or only half of a pair, makes the whole answer worthless.
UNIQUE_ROWS = frozenset({"market-symbols", "tickers", "fee-rate", "balance"})
ORDERED_ROWS = frozenset({"depth", "kline"})  # and so does one out of its place
PAIRED_ROWS = frozenset({"balance"})
# Lists that are read by name: their order means nothing.
UNORDERED = frozenset({"market-symbols", "tickers", "fee-rate", "balance"})
