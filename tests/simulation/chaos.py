"""Which faults strike where, and how often. A kind that never fires in a long run fails the run."""

from __future__ import annotations

import random

# Any call: what networks and gateways do. An answer that is not JSON ends its cycle at once, so those are few here:
# tests/hostile breaks answers by the million.
ANYWHERE = {
    "connect_error": 2, "lost_request": 2, "lost_reply": 3, "delayed_reply": 2, "http_429": 2, "rate_code": 2,
    "html_502": 2, "html_200": 0.3, "truncated": 0.5, "redirect": 1, "nan": 0.3, "empty": 0.3, "gateway_error": 1,
    "timeout_code": 1, "storm_429": 0.2,
}  # fmt: skip
# The place call: what may become of an order that we do not hear of, or hear wrongly.
PLACE = {
    "lost_request": 3, "lost_reply": 5, "delayed_request": 5, "delayed_reply": 3, "system_error_executed": 3,
    "system_error_refused": 2, "gateway_executed": 2, "http_429": 1, "rate_code": 1, "html_502": 2, "html_200": 1,
    "truncated": 2, "redirect": 1, "connect_error": 2, "ok_without_id": 1, "unlisted_code": 1, "invisible": 5,
    "duplicate": 0.7, "partial": 4, "breaker": 2, "late_fill": 4, "auction": 1,
    "price_ran": 4, "redelivered": 0.7, "limbo": 1, "key_refused": 0.5,
}  # fmt: skip
BALANCE = {"balance_lag": 4, "missing_row": 2, "empty_list": 1}
LOOKUP = {"blind": 6}
# About one order: what the exchange says of it is not what it is.
OF_ORDER = {"odd_state": 1, "other_order": 1, "not_found": 2, "mute": 0.7}
OF_FILLS = {"no_fills": 6}
# About prices and listings, for a whole cycle.
LIES = {
    "zero_price": 2, "one_sided": 2, "frozen_price": 2, "times_ten": 1.5, "times_ten_all": 1, "depeg": 1.5, "halted": 1, "cancel_only": 1,
    "last_off": 1, "wide_spread": 1, "crossed": 1, "thin_book": 1, "symbol_gone": 1, "fee_gone": 1, "coin_halted": 1,
}  # fmt: skip
# What people, machines and disks do between and during cycles.
HANDS = (
    "crash", "clock_step", "disk_full", "restored_backup", "hand_trade", "deposit", "withdrawal", "targets_edited",
    "paused", "delisted", "twin", "volatile_jump", "paused_at_the_brink", "locked_up",
    "look_alike", "suspended", "told_to_stop", "emptied", "disk_low", "forced", "restore_told",
    "row_gone", "row_never_held", "row_back", "hidden_deposit", "short_answer", "bought_without_row",
    "answered_halt", "answered_coin", "answered_row", "answered_order", "answered_plan", "answer_taken",
    "stale_answer", "foreign_answer", "torn_answer", "answered_twice", "replayed_answer", "copied_answer",
    "garbage_answer", "no_plain_answer", "open_folder", "asked_pause", "asked_dry_run", "asked_stage_targets",
    "garbage_request", "stale_request", "staged_confirmed", "slot_again",
)  # fmt: skip
SPECIAL = {"balance": BALANCE, "client-order": LOOKUP | OF_ORDER, "order": OF_ORDER, "order-fills": OF_FILLS}
PLACE_ODDS, READ_ODDS, LIE_ODDS = 0.37, 0.088, 0.14
# Of the orders whose answer is lost, so many are carried out twice: only then does a search meet two of one id.
TWICE, TWICE_ODDS = "duplicate_unanswered", 0.25

KINDS = frozenset({TWICE, *ANYWHERE, *PLACE, *BALANCE, *LOOKUP, *OF_ORDER, *OF_FILLS, *LIES, *HANDS})


def draw(rng: random.Random, twice: random.Random, endpoint: str) -> str:
    """Return the fault that strikes one call, or an empty text."""
    if endpoint == "place":
        fault = _pick(rng, PLACE) if rng.random() < PLACE_ODDS else ""
        return TWICE if fault == "lost_reply" and twice.random() < TWICE_ODDS else fault
    if rng.random() >= READ_ODDS:
        return ""
    return _pick(rng, ANYWHERE | SPECIAL.get(endpoint, {}))


def draw_lie(rng: random.Random) -> str:
    return _pick(rng, LIES) if rng.random() < LIE_ODDS else ""


def _pick(rng: random.Random, table: dict[str, float]) -> str:
    return rng.choices(list(table), list(table.values()))[0]
