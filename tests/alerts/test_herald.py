"""From real cycles to what is told: over the embedded exchange, with a carrier that only listens."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rebalancer.alerts.condition import Message
from rebalancer.alerts.herald import Herald
from rebalancer.errors import JournalError, LockHeld, RebalancerError
from rebalancer.journal import records
from tests.service.house import House


@dataclass
class Ears:
    """A carrier that keeps what it was given."""

    told: list[Message] = field(default_factory=list)
    pings: list[str] = field(default_factory=list)

    def tell(self, message: Message) -> None:
        self.told.append(message)

    def ping(self, word: str) -> None:
        self.pings.append(word)

    def titles(self) -> list[str]:
        return [message.title for message in self.told]


@dataclass
class Told:
    """A house whose cycles a herald watches."""

    house: House
    ears: Ears
    herald: Herald

    def cycle(self) -> None:
        self.house.clock.advance(3600)
        try:
            with self.herald.watching() as left:
                left.append(self.house.cycle())
        except RebalancerError:
            pass


@pytest.fixture
def told(tmp_path: Path) -> Told:
    house, ears = House(tmp_path), Ears()
    return Told(house, ears, Herald(tmp_path, ears, house.clock))


def test_trades_are_told_with_their_sums_and_quiet_cycles_only_ping(told: Told) -> None:
    told.cycle()
    told.cycle()
    told.cycle()
    assert told.ears.titles()[0] == "traded" and set(told.ears.titles()) == {"traded"}
    assert "order(s) of" in told.ears.told[0].body and "sell BTC for" in told.ears.told[0].body
    count = len(told.ears.told)
    told.cycle()
    assert len(told.ears.told) == count
    assert told.ears.pings == ["start", ""] * 4


def test_a_halt_is_told_once_fails_the_ping_and_its_end_is_told(told: Told) -> None:
    told.cycle()
    (row,) = told.house.journal.append(records.halt("foreign_order", "order 7 is not ours"))
    for _ in range(5):
        told.cycle()
    assert told.ears.titles()[-1] == "halted" and "order 7 is not ours" in told.ears.told[-1].body
    assert told.ears.pings[-1] == "fail" and told.ears.titles().count("halted") == 1
    told.house.journal.append(records.ack_halt(row.seq, "owner"))
    told.cycle()
    assert "in order again" in told.ears.titles() and told.ears.pings[-1] == ""


def test_a_halt_that_a_cycle_ends_in_is_told_by_that_cycle(told: Told) -> None:
    """The next slot may be a day away."""
    told.house.wire.before_post(lambda: setattr(told.house.user, "permissions", ("readOnly",)))
    told.cycle()
    assert told.ears.titles() == ["halted"] and "does not accept the key" in told.ears.told[0].body
    assert told.ears.pings == ["start", "fail"]


def test_a_pause_a_refusal_and_an_exchange_out_of_reach_each_have_their_name(told: Told) -> None:
    told.cycle()
    told.house.pause.path.write_text("on holiday")
    told.cycle()
    assert told.ears.titles()[-1] == "paused"
    told.house.pause.path.unlink()
    told.cycle()
    told.house.set_faults("one_sided=1")
    told.cycle()
    told.cycle()
    assert told.ears.titles()[-1] == "denied" and "no asks" in told.ears.told[-1].body
    told.house.set_faults("html_502=1")
    told.cycle()
    told.cycle()
    assert told.ears.titles()[-1] == "unreachable"


def test_what_ends_the_service_is_told_once_and_another_instance_is_not(told: Told) -> None:
    for error in (LockHeld("another"), JournalError("the disk is full"), JournalError("the disk is full")):
        with pytest.raises(type(error)), told.herald.attending():
            raise error
    assert [(each.title, each.body) for each in told.ears.told] == [("failed", "the disk is full")]
    assert told.ears.pings == ["fail", "fail"]


def test_other_targets_are_told_with_what_changed(told: Told) -> None:
    told.herald.targets_changed("edited by hand: BTC 35 -> 40, USDT 15 -> 10")
    assert told.ears.told == [Message("targets changed", "edited by hand: BTC 35 -> 40, USDT 15 -> 10")]


def test_a_bad_file_is_told_once_though_dry_runs_go_on_with_the_last_good_one_and_its_mending_too(told: Told) -> None:
    problem = ["targets.toml:4: weights sum to 101, must be 100"]
    for _ in range(3):
        with told.herald.watching(lambda: problem[0]) as left:
            left.append(told.house.cycle())
    assert told.ears.titles().count("targets invalid") == 1 and told.ears.told[-1].body == problem[0]
    problem[0] = ""
    with told.herald.watching(lambda: problem[0]) as left:
        left.append(told.house.cycle())
    assert told.ears.titles()[-1] == "in order again"


def test_a_defect_is_told_by_its_kind_alone(told: Told) -> None:
    with pytest.raises(ZeroDivisionError), told.herald.watching():
        raise ZeroDivisionError("https://api?Signature=abc")
    assert (told.ears.told[-1].title, told.ears.told[-1].body) == ("failed", "ZeroDivisionError")
    assert told.ears.pings[-1] == "fail"


def test_what_was_told_is_not_told_again_by_the_next_life(told: Told, tmp_path: Path) -> None:
    told.house.pause.path.write_text("on holiday")
    told.cycle()
    again = Told(told.house, Ears(), Herald(tmp_path, told.ears, told.house.clock))
    again.cycle()
    assert told.ears.titles().count("paused") == 1


def test_a_frozen_coin_is_told_at_once_and_one_in_doubt_when_it_lasts_a_day(told: Told) -> None:
    told.cycle()
    told.ears.told.clear()
    market = told.house.exchange.market
    market.change_spec("solusdt", state="offline")
    told.cycle()
    assert told.ears.titles() == ["a coin is frozen"] and "rebalancer ack SOL" in told.ears.told[0].body
    assert told.ears.pings[-1] == "", "the others go on"
    market.change_spec("solusdt", state="online")
    told.house.journal.append(records.ack_coin("SOL", "owner"))
    told.cycle()
    assert told.ears.titles()[1:] == ["in order again"]
