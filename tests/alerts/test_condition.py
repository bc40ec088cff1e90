"""One message a change, one a day while it lasts, never a storm."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rebalancer.alerts.condition import (
    TOLD_FROM,
    Condition,
    Memory,
    Message,
    Seen,
    at_cycle,
    at_missed,
    at_start,
    digest_due,
)
from rebalancer.alerts.memory import NAME, keep_memory, load_memory
from tests.core.builders import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TROUBLES = [condition for condition in Condition if condition is not Condition.FINE]


def told(memory: Memory, seen: list[Seen], step: timedelta = HOUR) -> tuple[Memory, list[str]]:
    titles = []
    for number, each in enumerate(seen):
        memory, messages = at_cycle(memory, each, NOW + number * step)
        titles += [message.title for message in messages]
    return memory, titles


@pytest.mark.parametrize("condition", TROUBLES)
def test_a_condition_is_told_when_it_begins_and_when_it_ends_and_once_a_day_between(condition: Condition) -> None:
    begun = TOLD_FROM.get(condition, 1)
    memory, titles = told(Memory(), [Seen(condition, "why")] * begun)
    assert titles == [condition.value]
    memory, titles = told(Memory(), [Seen(condition, "why")] * (begun + 59))
    assert titles == [condition.value, *[f"still {condition} since 2026-03-01"] * 2]
    assert told(memory, [Seen(Condition.FINE)])[1] == ["in order again"]


@pytest.mark.parametrize("condition", TOLD_FROM)
def test_one_look_that_failed_is_no_message_and_neither_is_its_end(condition: Condition) -> None:
    flapping = [Seen(condition, "timed out"), Seen(Condition.FINE)] * 30
    assert told(Memory(), flapping)[1] == []


def test_a_service_in_order_says_nothing_but_its_trades() -> None:
    seen = [Seen(Condition.FINE), Seen(Condition.FINE, trades="2 orders of 400 USDT"), Seen(Condition.FINE)]
    memory, messages = Memory(), []
    for number, each in enumerate(seen):
        memory, new = at_cycle(memory, each, NOW + number * HOUR)
        messages += new
    assert messages == [Message("traded", "2 orders of 400 USDT")]


def test_another_trouble_is_told_at_once_with_its_own_words() -> None:
    memory, _ = told(Memory(), [Seen(Condition.DENIED, "the book is stale")] * 2)
    _, messages = at_cycle(memory, Seen(Condition.HALTED, "order 7 is unknown to us"), NOW + HOUR)
    assert messages == [Message("halted", "order 7 is unknown to us")]


def test_a_clock_that_was_years_ahead_for_one_look_costs_no_reminder_of_the_years_between() -> None:
    halted = Seen(Condition.HALTED, "order 7 is unknown to us")
    memory, _ = at_cycle(Memory(), halted, NOW)
    memory, ahead = at_cycle(memory, halted, NOW + 3650 * DAY)
    assert len(ahead) == 1
    titles = []
    for number in range(1, 73):
        memory, messages = at_cycle(memory, halted, NOW + number * HOUR)
        titles += [message.title for message in messages]
    assert titles == ["still halted since 2026-03-01"] * 3
    memory = replace(memory, started_at=NOW + 3650 * DAY, digest_week="2036-02-25")
    assert len(at_start(memory, NOW, mode="live", venue="htx")[1]) == 1
    assert digest_due(memory, NOW) == "2026-02-16"


@pytest.mark.parametrize("seed", range(20))
def test_however_things_change_there_are_never_more_messages_than_changes_days_and_trades(seed: int) -> None:
    rng = random.Random(seed)
    seen = [Seen(rng.choice([*Condition, Condition.FINE, Condition.FINE]), "x") for _ in range(500)]
    seen = [each for each in seen for _ in range(rng.randint(1, 40))]
    changes = sum(1 for a, b in itertools.pairwise(seen) if a.condition is not b.condition) + 1
    assert len(told(Memory(), seen)[1]) <= changes + len(seen) // 24, f"seed {seed}"


def test_a_service_that_is_restarted_over_and_over_says_so_once() -> None:
    memory, first = at_start(Memory(), NOW, mode="live", venue="htx")
    assert [message.title for message in first] == ["started, live on htx"]
    for minute in range(1, 30):
        memory, again = at_start(memory, NOW + timedelta(minutes=2 * minute), mode="live", venue="htx")
        assert again == [] or minute >= 30
    _, later = at_start(memory, NOW + 2 * HOUR, mode="live", venue="htx")
    assert later


def test_a_start_in_a_trouble_names_it() -> None:
    memory, _ = at_cycle(Memory(), Seen(Condition.HALTED, "order 7"), NOW)
    _, messages = at_start(memory, NOW + HOUR, mode="live", venue="htx")
    assert "halted, order 7" in messages[0].body


def test_missed_slots_are_told_once_a_day_however_many_there_are(tmp_path: Path) -> None:
    memory, titles = Memory(), []
    for hour in range(73):
        memory, messages = at_missed(memory, f"slot {hour}", NOW + hour * HOUR)
        titles += [message.body for message in messages]
        keep_memory(tmp_path, memory)
        memory = load_memory(tmp_path)
    assert titles == ["slot 0", "slot 24", "slot 48", "slot 72"]


def test_a_memory_of_an_older_program_is_read(tmp_path: Path) -> None:
    memory, _ = at_cycle(Memory(), Seen(Condition.HALTED, "order 7"), NOW)
    keep_memory(tmp_path, memory)
    written = json.loads((tmp_path / NAME).read_text())
    for name in ("missed_at", "key_told_days", "digest_week"):
        del written[name]
    (tmp_path / NAME).write_text(json.dumps(written))
    assert load_memory(tmp_path) == memory


def test_what_was_told_outlives_the_process(tmp_path: Path) -> None:
    memory, _ = at_cycle(Memory(), Seen(Condition.HALTED, "order 7"), NOW)
    keep_memory(tmp_path, memory)
    assert load_memory(tmp_path) == memory
    assert told(load_memory(tmp_path), [Seen(Condition.HALTED, "order 7")])[1] == []


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"condition": "odd"}', "null"])
def test_a_memory_that_is_missing_or_damaged_is_blank(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / NAME).write_text(content)
    assert load_memory(tmp_path) == Memory()
