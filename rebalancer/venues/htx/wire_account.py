"""Accounts, balances and key rights of HTX as core values. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rebalancer.core.model import Account, Balance, KeyInfo
from rebalancer.errors import AuthCause, AuthFailed, MalformedReply
from rebalancer.venues.htx.codes_map import CodeMap
from rebalancer.venues.htx.decode import Fields


def parse_accounts(payload: dict[str, Any]) -> tuple[Account, ...]:
    """Return the user's accounts (`/v1/account/accounts`)."""
    rows = [Fields("accounts.data", row) for row in Fields("accounts", payload).rows("data")]
    return tuple(Account(str(row.whole("id")), row.word("type"), row.word("state") == "working") for row in rows)


def parse_balances(account_id: str, payload: dict[str, Any], codes: CodeMap) -> dict[str, Balance]:
    """Return one balance per listed currency (`/v1/account/accounts/{id}/balance`).

    A currency has a `trade` and a `frozen` row, not necessarily adjacent; other types (loan, interest, lock …) are
    neither spendable nor ours. A currency with only one of the two, or with a row twice, makes the answer malformed:
    absent is never zero. A locked account is AuthFailed: what it holds cannot be traded.
    """
    data = Fields("balance", payload).below("data")
    if str(data.whole("id")) != account_id:
        raise MalformedReply(f"balance: asked for account {account_id}, answered for another")
    if data.word("type") != "spot":
        raise MalformedReply("balance: not a spot account")
    if data.word("state") != "working":
        raise AuthFailed(AuthCause.ACCOUNT, "account-not-working", f"account {account_id} is locked by the exchange")
    free: dict[str, Decimal] = {}
    locked: dict[str, Decimal] = {}
    for raw in data.rows("list"):
        row = Fields("balance.list", raw)
        side = {"trade": free, "frozen": locked}.get(row.word("type"))
        if side is None:
            continue
        currency = row.word("currency")
        if currency in side:
            raise MalformedReply(f"balance: {currency} has two rows of one type")
        side[currency] = row.not_negative("balance")
    if free.keys() != locked.keys():
        odd = min(free.keys() ^ locked.keys())
        raise MalformedReply(f"balance: {odd} has only one of its rows `trade` and `frozen`")
    assets = {codes.asset_of(currency): currency for currency in free}
    if len(assets) != len(free):
        raise MalformedReply("balance: two currencies have one name")
    return {asset: Balance(asset, free[currency], locked[currency]) for asset, currency in assets.items()}


def parse_uid(payload: dict[str, Any]) -> str:
    """Return the user's id (`/v2/user/uid`)."""
    return str(Fields("uid", payload).whole("data"))


def parse_key_info(payload: dict[str, Any], access_key: str) -> KeyInfo:
    """Return the rights of one key (`/v2/user/api-key`); RecordNotFound is the caller's to judge.

    Raises MalformedReply when the key is not in the list.
    """
    for raw in Fields("api-key", payload).rows("data"):
        row = Fields("api-key.data", raw)
        if row.text("accessKey") != access_key:
            continue
        rights = {right.strip() for right in row.word("permission").split(",")}
        days = row.whole("validDays")
        return KeyInfo(
            can_read="readOnly" in rights,
            can_trade="trade" in rights,
            can_withdraw="withdraw" in rights,
            ip_addresses=tuple(address for address in row.label("ipAddresses").split(",") if address),
            days_valid=None if days < 0 else days,
        )
    raise MalformedReply("api-key: the key in use is not in the list")
