"""The owner: looks at what waits for an answer, and answers truthfully, at once or by a file for the running service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.core.money import plain
from rebalancer.core.orders import IntentState
from rebalancer.core.reasons import Deny
from rebalancer.core.targets import Targets
from rebalancer.core.trust import CoinState
from rebalancer.errors import ConfigError
from rebalancer.journal.store import Journal
from rebalancer.service.answers import Answer, account_of, record
from rebalancer.service.cycle import CycleResult, weights_digest
from rebalancer.service.questions import OUTCOMES, About, Question, Word, find
from tests.simulation.checks import Checker
from tests.simulation.drawer import Drawer
from tests.simulation.rows import Unlisted
from tests.simulation.words import Given
from tests.simulation.world import SimClock, World

BY_FILE_SHARE = 0.5  # of the worlds


@dataclass
class Shown:
    """A question that the owner has seen, the word on it, and when it is given."""

    question: Question
    word: Word
    seen: object  # what the judge saw of it
    due_ms: int


class Owner:
    """Answers by chance, sooner or later; at once when all is to be quiet."""

    def __init__(self, world: World, checker: Checker, state: Path, unlisted: Unlisted) -> None:
        self._world, self._checker, self._unlisted = world, checker, unlisted
        self._rng = world.chance["owner"]
        self._clock = SimClock(world)
        self._by_file = self._rng.random() < BY_FILE_SHARE
        self.drawer = Drawer(world, state) if self._by_file else None
        self._thinking: list[Shown] = []
        self._asked_leave = ""

    def saw(self, result: CycleResult) -> None:
        """Remember a plan that asks for leave."""
        denials = result.plan.denials if result.plan is not None else ()
        asks = any(denial.code is Deny.ACK_NEEDED for denial in denials)
        self._asked_leave = result.run_id if asks else ""

    def turn(self, journal: Journal, targets: Targets) -> None:
        """Look at what waits, give the answers that are due, and let files go wrong."""
        self._checker.read_rows()
        self._checker.words.at_once.clear()
        if self.drawer is not None:
            self.drawer.go_wrong()
        quiet = self._world.quiet
        self._thinking = [] if quiet else self._thinking
        if quiet or self._rng.random() >= 0.5:
            for question in self._questions(journal, targets):
                word = self._word(question)
                if word is not None and all(each.question.what != question.what for each in self._thinking):
                    self._think(question, word)
        due = [each for each in self._thinking if each.due_ms <= self._world.true_ms]
        self._thinking = [each for each in self._thinking if each not in due]
        for each in due:
            self._give(journal, targets, each)

    def _think(self, question: Question, word: Word) -> None:
        """Take some time for an answer now and then: the question may be another one by then."""
        slow = self._by_file and not self._world.quiet and self._rng.random() < 0.25
        wait_ms = self._rng.choice((120_000, 3_600_000, 3 * 3_600_000)) if slow else 0
        seen = self._checker.shown(question.about.value, question.what)
        self._thinking.append(Shown(question, word, seen, self._world.true_ms + wait_ms))

    def _questions(self, journal: Journal, targets: Targets) -> Iterator[Question]:
        state = journal.state
        names = [str(halt) for halt in state.halts]
        names += [a for a, coin in state.coins.items() if coin.state is CoinState.FROZEN or coin.lacks_row]
        names += [f"{r.run_id}/{r.intent_seq}" for r in state.unresolved if r.state is IntentState.QUARANTINED]
        names += [self._asked_leave] if self._asked_leave else []
        for name in names:
            try:
                yield find(journal, name, lambda: weights_digest(targets.weights))
            except ConfigError:  # such as a coin without a row that was held before: no word says how much there is
                continue

    def _word(self, question: Question) -> Word | None:
        match question.about:
            case About.ROW:
                return Word() if self._unlisted.is_excused(question.what) else None
            case About.ORDER:
                return self._truth(question.what)
            case About.PLAN:
                amount = 10**9 if self._world.quiet else self._rng.choice((500, 5_000, 10**6))
                return Word(up_to_quote=Decimal(amount))
            case _:
                return Word()

    def _truth(self, what: str) -> Word:
        """Return what the exchange's own page says of an order."""
        known = self._checker.intents[_key(what)]
        real = [order for order in self._checker.ours() if order.client_order_id == known.cid]
        traded = [order for order in real if order.filled]
        if not traded:
            return Word(outcome="absent")
        outcome = "partial" if traded[0].state == "partial-canceled" else "filled"
        return Word(outcome, (sum((o.filled for o in real), Decimal(0)), sum((o.cash for o in real), Decimal(0))))

    def _give(self, journal: Journal, targets: Targets, each: Shown) -> None:
        question, now = each.question, self._clock.now()
        if question.about is About.ORDER and _key(question.what) not in self._checker.intents:
            return  # an older journal was put back meanwhile, which knows no such order
        if question.about is About.ORDER:  # as it is by now, and from now on nobody is to be surprised by it
            each.word = self._truth(question.what)
            self._checker.forgiven.add(self._checker.intents[_key(question.what)].cid)
        says = _says(question, each.word)
        given = Given(says, each.seen, self._world.true_ms)
        self._world.fired[f"answered_{question.about.value}"] += 1
        answer = Answer(question, each.word, "owner", now, account_of(journal))
        if self.drawer is not None:
            self.drawer.leave(answer, given, self._checker.words)
            return
        self._checker.words.at_once.append(given)
        record(journal, answer, lambda: weights_digest(targets.weights))


def _key(what: str) -> tuple[str, int]:
    run, _, number = what.rpartition("/")
    return run, int(number)


def _says(question: Question, word: Word) -> Mapping[str, Any]:
    """Return what the row of an answer must say, in the judge's own words."""
    match question.about:
        case About.HALT:
            return {"halt": int(question.what)}
        case About.COIN | About.ROW:
            return {"coin": question.what}
        case About.PLAN:
            assert word.up_to_quote is not None
            digest = question.facts["weights_digest"]
            return {"plan": question.what, "weights_digest": digest, "up_to_quote": plain(word.up_to_quote)}
        case About.ORDER:
            base, quote = word.filled or (Decimal(0), Decimal(0))
            return {"event": OUTCOMES[word.outcome].value, "filled_quantity": plain(base), "filled_quote": plain(quote)}
