"""A few days of the soak on every change; `python -m tests.soak` lives through thirty."""

from __future__ import annotations

from tests.soak import Day, complaints, growth, soak


def test_days_of_service_miss_no_slot_and_hold_no_more_threads_and_files_than_at_first() -> None:
    made = soak(3, seed=1)
    assert made["cycles"] == 72 and made["orders"] > 3, made
    assert not made["missed_slots"] and not made["unresolved"], made
    assert made["threads_growth"] == made["files_growth"] == 0, made


def test_growth_is_the_last_third_on_the_middle_one() -> None:
    days = [Day(900, 5, 1, 9)] * 2 + [Day(1000, 5, 1, 9)] * 2 + [Day(1030, 5, 2, 9)] * 2
    made = growth(days)
    assert made == {"resident_kib_growth": 0.03, "objects_growth": 0.0, "threads_growth": 1.0, "files_growth": 0.0}
    found = complaints(made | {"missed_slots": 2, "orders": 0})
    assert found == [
        "resident_kib grew by 3.0%",
        "threads grew",
        "2 slot(s) have no run in the journal",
        "no order was sent, so nothing was shown",
    ]
