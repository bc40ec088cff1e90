"""HTX's error codes as closed tables: what each proves about a place call, and what it means for a read.

HTX API reference, "Error codes". For a place call there are two answers only: the order was refused, or its outcome
is unknown. A code that is not listed is unknown: that is safer than taking it for a refusal.
"""

from __future__ import annotations

from enum import StrEnum

from rebalancer.errors import AuthCause


class Kind(StrEnum):
    """What a code says."""

    FINAL = "final"  # refused, and the same request would be refused again
    TEMPORARY = "temporary"  # refused for now
    UNKNOWN = "unknown"  # of a place call: it may have been executed
    AUTH = "auth"
    RATE = "rate"
    LOOKUP = "lookup"  # no such record, or none yet


_FINAL = """
base-argument-unsupported base-operation-forbidden base-symbol-error base-symbol-trade-disabled base-date-limit-error
account-frozen-balance-insufficient-error order-accountbalance-error order-value-min-error
order-marketorder-amount-min-error order-marketorder-amount-buy-max-error order-marketorder-amount-sell-max-error
order-limitorder-amount-min-error order-limitorder-amount-max-error order-limitorder-price-min-error
order-limitorder-price-max-error order-limitorder-price-buy-min-error order-limitorder-price-buy-max-error
order-limitorder-price-sell-min-error order-limitorder-price-sell-max-error order-orderprice-precision-error
order-orderamount-precision-error order-amount-over-limit order-invalid-price order-etp-nav-price-min-error
order-etp-nav-price-max-error order-holding-limit-failed order-type-invalid invalid-type invalid-amount
invalid-client-order-id order-source-invalid order-price-greater-than-limit order-price-less-than-limit
order-stop-order-hit-trigger order-date-limit-error invalid-interval invalid_interval invalid-start-date
invalid-end-date invalid-start-time invalid-end-time validation-constraints-required validation-format-error
parameter-required require-symbol symbol-not-support dw-insufficient-balance order-orderstate-error
order-user-cancel-forbidden order-fl-cancellation-is-disallowed fl-order-already-existed invalid-parameter bad-request
"""
_TEMPORARY = """
system-maintenance order-disabled cancel-disabled market-orders-not-support-during-limit-price-trading
price-exceeds-the-protective-price-during-limit-price-trading forbidden-trade-for-open-protect
"""
_UNKNOWN = "base-system-error timeout gateway-internal-error order-update-error"
_AUTH = """
login-required api-signature-not-valid api-signature-check-failed account-get-accounts-inexistent-error
account-account-id-inexistent account-get-balance-account-inexistent-error account-state-invalid
operation-forbidden-for-fl-account-state operation-forbidden-for-lock-account-state sub-user-auth-required 1002 1003
"""
_RATE = "base-request-exceed-frequency-limit rate-too-many-requests too-many-requests 510"
_LOOKUP = "base-record-invalid base_record_invalid base-not-found not-found order-queryorder-invalid"

KINDS: dict[str, Kind] = {
    code: kind
    for kind, text in (
        (Kind.FINAL, _FINAL),
        (Kind.TEMPORARY, _TEMPORARY),
        (Kind.UNKNOWN, _UNKNOWN),
        (Kind.AUTH, _AUTH),
        (Kind.RATE, _RATE),
        (Kind.LOOKUP, _LOOKUP),
    )
    for code in text.split()
}

# What other calls are refused with: market data, settings, cancels, searches, transfers. From a place call each would
# be a surprise, and a surprise is unknown.
_ELSEWHERE = """
invalid-parameter bad-request 510 1002 1003 order-orderstate-error order-user-cancel-forbidden cancel-disabled
order-fl-cancellation-is-disallowed fl-order-already-existed order-date-limit-error base-date-limit-error
invalid-interval invalid_interval invalid-start-date invalid-end-date invalid-start-time invalid-end-time
dw-insufficient-balance
"""
# Our ids are well formed and never used twice: what this says is that an order of this one exists, as after a gateway
# that delivered our one request twice.
_OURS_EXISTS = "invalid-client-order-id"

# A definite refusal of a place call.
PLACE_REFUSALS = frozenset(
    code
    for code, kind in KINDS.items()
    if kind in {Kind.FINAL, Kind.TEMPORARY, Kind.AUTH, Kind.RATE} and code not in {*_ELSEWHERE.split(), _OURS_EXISTS}
)

# The auth codes are few and their causes many; only the words tell (HTX API reference, "Authentication").
_CAUSES: tuple[tuple[str, AuthCause], ...] = (
    ("incorrect access key", AuthCause.KEY),
    ("verification failure", AuthCause.SIGNATURE),
    ("invalid submission time", AuthCause.CLOCK),
    ("incorrect ip", AuthCause.IP),
    ("no permission", AuthCause.PERMISSION),
    ("has expired", AuthCause.EXPIRED),
    ("invalid signature", AuthCause.SIGNATURE),
    ("forbidden", AuthCause.PERMISSION),
)


def refuses_place(code: str) -> bool:
    """Return whether `code` proves that a place call executed nothing."""
    return code in PLACE_REFUSALS


def kind_of_read(code: str, message: str) -> Kind:
    """Return what `code` means for a read; an unlisted code is FINAL: the same read would be refused again."""
    if code == "invalid-parameter" and "request limit" in message:
        return Kind.RATE
    if code == "invalid-parameter" and "request timeout" in message:
        return Kind.UNKNOWN
    return KINDS.get(code, Kind.FINAL)


def auth_cause(code: str, message: str) -> AuthCause:
    """Return why the exchange did not accept us."""
    if code.startswith(("account-", "operation-forbidden", "sub-user")):
        return AuthCause.ACCOUNT
    lowered = message.lower()
    return next((cause for words, cause in _CAUSES if words in lowered), AuthCause.OTHER)
