"""What waits for the owner's word: how it is shown, and the row that an answer to it becomes. Writes nothing.

A question is found anew from the journal whenever somebody answers, so that what is answered is what stands now.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from rebalancer.core.money import EXACT, ONE, plain
from rebalancer.core.orders import Event, IntentState
from rebalancer.core.reasons import Deny
from rebalancer.core.trust import CoinState, CoinTrust
from rebalancer.errors import ConfigError
from rebalancer.journal import records
from rebalancer.journal.rows import Entry, Kind, Row
from rebalancer.journal.state import IntentRecord
from rebalancer.journal.store import Journal

ABSENT = "absent"
PRICE_OFF_MAX = 5  # times: an order may wait while prices move, but amounts that were swapped are further off
OUTCOMES = {"filled": Event.ACK_FILLED, "partial": Event.ACK_PARTIAL, ABSENT: Event.ACK_ABSENT}


class About(StrEnum):
    """What can wait for the owner."""

    HALT = "halt"
    COIN = "coin"
    ROW = "row"  # a coin of which the exchange lists no balance
    ORDER = "order"
    PLAN = "plan"


@dataclass(frozen=True, slots=True)
class Question:
    """One question: the owner's name for it, the words that are shown, and what else an answer to it rests on.

    Two are the same when all of it is.
    """

    about: About
    what: str
    text: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Word:
    """What the owner says; a halt and a coin need no more than that it is said."""

    outcome: str = ""  # of an order: one of OUTCOMES
    filled: tuple[Decimal, Decimal] | None = None  # of an order: how much base for how much quote
    up_to_quote: Decimal | None = None  # of a plan
    reason: str = ""

    def fits(self, question: Question) -> bool:
        """Return whether this answers such a question, and nothing else."""
        amounts = [*(self.filled or ()), *(() if self.up_to_quote is None else (self.up_to_quote,))]
        if not all(each.is_finite() and each > 0 for each in amounts):
            return False
        if question.about is About.ORDER:
            whole = self.outcome in OUTCOMES and (self.filled is None) == (self.outcome == ABSENT)
            return whole and self.up_to_quote is None
        rest = (self.outcome, self.filled) == ("", None)
        return rest and (self.up_to_quote is not None) == (question.about is About.PLAN)


def find(journal: Journal, what: str, weights_digest: Callable[[], str]) -> Question:
    """Return the question of that name; ConfigError where none stands, with those that do.

    `weights_digest` tells which weights are in force; only a plan's question asks for it.
    """
    if what.isdecimal():
        return _halt(journal, what)
    if what in journal.state.coins:
        return _coin(journal, what)
    if "/" in what:
        return _order(journal, what)
    return _plan(journal, what, weights_digest)


def row_for(question: Question, word: Word, who: str) -> Entry:
    """Return the row of an answer."""
    assert word.fits(question), (question, word)
    row = _row(question, word, who)
    return replace(row, payload={**row.payload, "text": word.reason}) if word.reason else row


def _row(question: Question, word: Word, who: str) -> Entry:
    match question.about:
        case About.HALT:
            return records.ack_halt(int(question.what), who)
        case About.COIN | About.ROW:
            return records.ack_coin(question.what, who)
        case About.ORDER:
            run, _, number = question.what.rpartition("/")
            event = OUTCOMES[word.outcome]
            return records.ack_intent(run, int(number), event, who=who, text=word.outcome, filled=word.filled)
        case About.PLAN:
            assert word.up_to_quote is not None
            digest = question.facts["weights_digest"]
            return records.ack_plan(question.what, who, weights_digest=digest, up_to_quote=word.up_to_quote)


def _halt(journal: Journal, what: str) -> Question:
    halt = next((halt for number, halt in journal.state.halts.items() if str(number) == what), None)
    if halt is None:
        known = ", ".join(map(str, journal.state.halts)) or "none"
        raise ConfigError(f"{what} is no open halt; open: {known}")
    return Question(About.HALT, what, f"Halt {what} since {halt.since}: {halt.text}", {"code": halt.code})


def _coin(journal: Journal, asset: str) -> Question:
    coin = journal.state.coins[asset]
    if coin.lacks_row:
        return _rowless(journal, asset, coin)
    if coin.state is not CoinState.FROZEN:
        frozen = [each for each, known in journal.state.coins.items() if known.state is CoinState.FROZEN]
        raise ConfigError(f"{asset} is not frozen; frozen: {', '.join(frozen) or 'none'}")
    known = f", last trusted at {plain(coin.price)}" if coin.price is not None else ""
    return Question(About.COIN, asset, f"{asset} is frozen since {coin.since:%Y-%m-%d %H:%M} UTC{known}: {coin.why}")


def _rowless(journal: Journal, asset: str, coin: CoinTrust) -> Question:
    """Return the question whether a coin without a balance row is not held; ConfigError when it was held before."""
    if asset in journal.state.ever_held:
        raise ConfigError(
            f"{asset} was held before and has no balance row now: no word can say how much of it there is; "
            "look at HTX, and take it out of the targets if it is gone"
        )
    text = f"The exchange lists no balance of {asset} since {coin.rowless_since:%Y-%m-%d %H:%M} UTC, not even of zero."
    frozen = coin.state is CoinState.FROZEN  # the word is on that, too
    return Question(About.ROW, asset, f"{text} It is frozen besides: {coin.why}" if frozen else text)


def _order(journal: Journal, what: str) -> Question:
    record = _waiting(journal, what)
    amount = plain(record.sent_amount or record.amount)
    return Question(
        About.ORDER,
        what,
        f"{record.side} {record.symbol} {amount}, {record.client_order_id}: {record.text}",
        {"asset": record.asset, "since": record.changed_at},
    )


def misses_its_price(journal: Journal, what: str, filled: tuple[Decimal, Decimal]) -> str:
    """Return what is wrong with an order's amounts, base for quote, by what its coins cost when last looked at."""
    record, coins = _waiting(journal, what), journal.state.coins
    asset, quote = coins.get(record.asset), coins.get(record.quote, CoinTrust(price=ONE))  # cash is no coin
    if asset is None or asset.price is None or quote.price is None:
        return ""
    known, said = EXACT.divide(asset.price, quote.price), EXACT.divide(filled[1], filled[0])
    if known / PRICE_OFF_MAX <= said <= known * PRICE_OFF_MAX:
        return ""
    each = f"{plain(filled[0])} {record.asset} for {plain(filled[1])} {record.quote} is {said:.6g} each"
    return f"{each}, where {known:.6g} was last trusted: look again at which amount is which"


def _waiting(journal: Journal, what: str) -> IntentRecord:
    """Return the quarantined order of that name; ConfigError with those that there are."""
    quarantined = (record for record in journal.state.unresolved if record.state is IntentState.QUARANTINED)
    waiting = {f"{record.run_id}/{record.intent_seq}": record for record in quarantined}
    if what not in waiting:
        raise ConfigError(f"{what} is no order that waits for your answer; waiting: {', '.join(waiting) or 'none'}")
    return waiting[what]


def _plan(journal: Journal, run_id: str, weights_digest: Callable[[], str]) -> Question:
    """Return a plan's question for leave; the weights in force must still be those that it was made for."""
    row = next(iter(reversed(list(journal.rows(run_id=run_id, kinds=(Kind.PLAN,))))), None)
    if row is None:
        raise ConfigError(f"{run_id} is no run with a plan in this journal; `rebalancer history` names them")
    payload: dict[str, Any] = json.loads(row.payload_text)
    said = [*payload["plan"]["denials"], *payload["plan"]["warnings"]]
    text = next((str(each["text"]) for each in said if each["code"] == Deny.ACK_NEEDED), None)
    if text is None:
        raise ConfigError(f"the plan of {run_id} asks for no leave: it is within the limits, or was refused")
    digest = payload["weights_digest"]
    if weights_digest() != digest:
        raise ConfigError(f"the weights changed since {run_id}; `rebalancer run` asks anew")
    facts = {"quote": payload["plan"]["quote"], "weights_digest": digest, "answered": _last_leave(journal, row)}
    return Question(About.PLAN, run_id, text, facts)


def _last_leave(journal: Journal, plan: Row) -> str:
    """Return the number of the last leave that was given after a plan: another one rests on that."""
    rows = journal.rows(after_seq=plan.seq, kinds=(Kind.ACK,))
    return str(max((row.seq for row in rows if "up_to_quote" in json.loads(row.payload_text)), default=0))
