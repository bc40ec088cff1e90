"""A journal in which one question of every kind waits for its owner, and the answers that they get."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from rebalancer.core.model import RowsSeen
from rebalancer.core.orders import Event, IntentState
from rebalancer.core.trust import CoinState, CoinTrust
from rebalancer.journal import records
from rebalancer.journal.rows import Kind
from rebalancer.journal.store import Journal
from rebalancer.service.answers import Answer, Taken, account_of, leave, take, waiting
from rebalancer.service.questions import About, Question, Word, find
from tests.core.builders import NOW, d
from tests.journal.builders import BOUND, PLAN, RUN, brought_to, intent, planned
from tests.support import FakeClock

DIGEST = "weights"
BIG = "cron-20260301T1200Z-a1"
ASKING = {"denials": [{"code": "ack_needed", "text": f"needs 50: `rebalancer ack {BIG} --up-to 50`"}],
          "warnings": [], "quote": "USDT", "totals": None}  # fmt: skip
WORDS = {
    About.HALT: Word(reason="looked"),
    About.COIN: Word(),
    About.ROW: Word(),
    About.ORDER: Word("filled", (d("0.25"), d("96.01")), reason="seen at HTX"),
    About.PLAN: Word(up_to_quote=d(50)),
}


@dataclass
class Desk:
    """The state directory of an account, and whoever holds its lock; `restart` is a new life of the process."""

    state: Path
    clock: FakeClock = field(default_factory=FakeClock)
    digest: str = DIGEST

    def __post_init__(self) -> None:
        self.open()
        if self.journal.state.binding is None:
            self.journal.ensure_binding(BOUND)
            self.ask()

    def open(self) -> None:
        self.journal = Journal.open(self.state / "journal.db", self.clock)

    def restart(self) -> None:
        self.journal.close()
        self.open()

    def ask(self) -> None:
        """Let one question of each kind be open."""
        self.freeze("SOL")
        self.journal.append(planned(BIG, plan=replace(PLAN, legs=(), trust=self.coins), document=ASKING))
        brought_to(self.journal, IntentState.QUARANTINED, intent())
        self.halt = str(self.journal.append(records.halt("foreign_order", "order 7 is not ours"))[0].seq)

    def freeze(self, asset: str, why: str = "the exchange halted it", price: str = "150", held: str = "") -> None:
        """Look at the account: one coin is frozen, and another has no balance row; `held` is what a row says."""
        frozen = CoinTrust(d(price), NOW, CoinState.FROZEN, NOW, why)
        self.coins = {asset: frozen, "ADA": CoinTrust(rowless_since=NOW)}
        rows = RowsSeen(1, frozenset({held})) if held else RowsSeen()
        plan = replace(PLAN, legs=(), trust=self.coins, rows=rows)
        self.journal.append(planned("early", plan=plan, document={**ASKING, "denials": []}))

    def names(self) -> dict[About, str]:
        return {About.HALT: self.halt, About.COIN: "SOL", About.ROW: "ADA", About.ORDER: f"{RUN}/1", About.PLAN: BIG}

    def question(self, about: About) -> Question:
        return find(self.journal, self.names()[about], lambda: self.digest)

    def answer(self, about: About, **more: Any) -> Answer:
        made = Answer(self.question(about), WORDS[about], "owner", self.clock.now(), account_of(self.journal))
        return replace(made, **more)

    def leave(self, about: About, **more: Any) -> str:
        return leave(self.state, self.answer(about, **more))

    def take(self) -> list[Taken]:
        return list(take(self.journal, self.state, lambda: self.digest, self.clock.now()))

    def acks(self) -> list[dict[str, Any]]:
        return [json.loads(row.payload_text) for row in self.journal.rows(kinds=(Kind.ACK,))]

    def left(self) -> list[str]:
        return [each.id for each in waiting(self.state)]

    def file(self, answer_id: str) -> Path:
        return self.state / "answers" / f"{answer_id}.json"

    def later(self, **more: float) -> None:
        self.clock.advance(timedelta(**more).total_seconds())


# What makes each question another one, or none, between its answer and the service's look at it.
CHANGES: dict[About, Callable[[Desk], object]] = {
    About.HALT: lambda desk: desk.journal.append(records.ack_halt(int(desk.halt), "another")),
    About.COIN: lambda desk: desk.freeze("SOL", "four times away"),
    About.ROW: lambda desk: desk.freeze("SOL", held="ADA"),
    About.ORDER: lambda desk: desk.journal.append(
        records.ack_intent(RUN, 1, Event.ACK_ABSENT, who="another", text="absent")
    ),
    About.PLAN: lambda desk: setattr(desk, "digest", "other weights"),
}
