"""A plan read back from its document, for those who show it again; the inverse of `plan_json`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rebalancer.core.canonical import parse_moment
from rebalancer.core.model import Side, Snapshot
from rebalancer.core.money import ZERO, BaseAmount, QuoteAmount
from rebalancer.core.plan import AssetLine, AssetState, Decision, Denial, Direct, Leg, Plan, SkipLine, Totals
from rebalancer.core.plan_json import PlanHeader
from rebalancer.core.reasons import Deny, Reason, Skip, Trigger, Why

_CODES: Mapping[str, Why | Skip | Deny] = {code.value: code for kind in (Deny, Skip, Why) for code in kind}
Document = Mapping[str, Any]


def read_header(document: Document) -> PlanHeader:
    """Return what stands around a plan."""
    return PlanHeader(document["cycle_id"], document["mode"], document["venue"])


def read_plan(document: Document, snapshot: Snapshot) -> Plan:
    """Return the plan of a document and of the snapshot that it was made of, which knows the pairs and their mids.

    Derived amounts have the eight decimals of the document. Whether a limit cut a leg does not stand there, nor which
    file the targets were from: what is returned is for showing, never for sending.
    """
    nav_here_quote = _optional(document.get("nav_here_quote", document["nav_quote"]))
    return Plan(
        taken_at=parse_moment(document["taken_at"]),
        account_id=snapshot.account_id,
        quote=document["quote"],
        targets_digest="",
        nav_quote=_optional(document["nav_quote"]),
        nav_here_quote=nav_here_quote,
        nav_limits_quote=_optional(document["nav_limits_quote"]) if "nav_limits_quote" in document else nav_here_quote,
        trigger=Trigger(document["trigger"]),
        assets=tuple(map(_asset, document["assets"])),
        legs=tuple(_leg(leg, snapshot) for leg in document["legs"]),
        skips=tuple(SkipLine(skip["asset"], _reason(skip["reason"])) for skip in document["skips"]),
        denials=tuple(map(_denial, document["denials"])),
        totals=None if document["totals"] is None else _totals(document["totals"]),
        notes=tuple(document.get("notes", ())),
        warnings=tuple(map(_denial, document.get("warnings", ()))),
    )


def _optional(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _reason(row: Document) -> Reason:
    return Reason(_CODES[row["code"]], row["text"])


def _denial(row: Document) -> Denial:
    return Denial(Deny(row["code"]), row["text"], row["asset"], row["limit"], row["value"])


def _asset(row: Document) -> AssetLine:
    names = ("free", "locked", "price", "value_quote", "weight", "target", "band_low", "band_high", "drift")
    figures = {name: Decimal(row[name]) for name in names}
    return AssetLine(
        asset=row["asset"],
        **figures,
        state=AssetState(row["state"]),
        decision=Decision(row["decision"]),
        reason=_reason(row["reason"]),
        kept=Decimal(row.get("kept", ZERO)),
        external=Decimal(row.get("external", ZERO)),
    )


def _leg(row: Document, snapshot: Snapshot) -> Leg:
    asset, quote, mid = _pair(row["symbol"], snapshot)
    buys = row["side"] == Side.BUY
    return Leg(
        intent_seq=row["intent_seq"],
        asset=asset,
        symbol=row["symbol"],
        quote=quote,
        size=QuoteAmount(Decimal(row["spend_quote"])) if buys else BaseAmount(Decimal(row["quantity"])),
        mid=mid,
        notional_quote=Decimal(row["notional_quote"]),
        fee_quote=Decimal(row["fee_quote"]),
        spread_cost_bps=Decimal(row["spread_cost_bps"]),
        impact_bps=Decimal(row["impact_bps"]),
        reason=_reason(row["reason"]),
        direct=_direct(row["direct"], snapshot) if "direct" in row else None,
        collar=_optional(row.get("limit_price")),
    )


def _pair(symbol: str, snapshot: Snapshot) -> tuple[str, str, Decimal]:
    """Return a symbol's base, its quote and its decision mid; KeyError when the plan could not have seen it."""
    if symbol in snapshot.crosses:
        cross = snapshot.crosses[symbol]
        assert cross.book is not None and cross.book.mid is not None, symbol
        return cross.rules.base, cross.rules.quote, cross.book.mid
    asset = {rules.symbol: asset for asset, rules in snapshot.rules.items()}[symbol]
    return asset, snapshot.quote, _mid(asset, snapshot)


def _mid(asset: str, snapshot: Snapshot) -> Decimal:
    mid = snapshot.books[asset].mid
    assert mid is not None, asset
    return mid


def _direct(row: Document, snapshot: Snapshot) -> Direct:
    spent, received = (_mid(row[name], snapshot) for name in ("spent", "received"))
    return Direct(spent, received, Decimal(row["saves_quote"]))


def _totals(row: Document) -> Totals:
    names = ("turnover", "notional_quote", "fee_quote", "cost_bps", "drift_before", "drift_after", "nav_after_quote")
    return Totals(**{name: Decimal(row[name]) for name in names})
