"""`rebalancer ack`: the owner's answer to a halt, a frozen coin, an order to be judged, or a plan beyond the cap."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from decimal import Decimal

import click

from rebalancer.cli.allow import Leave, allow
from rebalancer.cli.context import load_settings
from rebalancer.cli.terminal import heading, lines_of
from rebalancer.core.money import parse_decimal, plain
from rebalancer.core.orders import Event, IntentState
from rebalancer.core.trust import CoinState, CoinTrust
from rebalancer.errors import ConfigError
from rebalancer.journal import records
from rebalancer.journal.state import IntentRecord
from rebalancer.journal.store import Journal
from rebalancer.service.clock import SystemClock
from rebalancer.service.lock import hold_lock

ABSENT = "absent"
OUTCOMES = {"filled": Event.ACK_FILLED, "partial": Event.ACK_PARTIAL, ABSENT: Event.ACK_ABSENT}


@dataclass(frozen=True, slots=True)
class Word:
    """What the owner says of an order: what became of it, and how much base was traded for how much quote."""

    outcome: str
    filled: tuple[Decimal, Decimal] | None

    def text(self, asset: str) -> str:
        """Return the word as the owner is asked to confirm it."""
        return f"{self.outcome}: {plain(self.filled[0])} {asset} for {plain(self.filled[1])}" if self.filled else ABSENT


def _amount(_ctx: click.Context, _param: click.Parameter, text: str | None) -> Decimal | None:
    """Read an amount to its last digit."""
    if text is None:
        return None
    try:
        amount = parse_decimal(text)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc
    if amount <= 0:
        raise click.BadParameter(f"{text} is not above 0")
    return amount


@click.command(
    epilog="\b\nExamples:\n  rebalancer ack 118\n  rebalancer ack DOGE\n"
    "  rebalancer ack manual-20260301T1200Z-a1/2 --outcome absent\n"
    "  rebalancer ack manual-20260301T1200Z-a1/2 --outcome filled \\\n"
    "      --quantity 0.0121 --quote 581.17\n  rebalancer ack manual-20260301T1200Z-a1 --up-to 8000"
)
@click.argument("what")
@click.option("--outcome", type=click.Choice(list(OUTCOMES)), help="What became of the order.")
@click.option("--quantity", callback=_amount, help="Filled: how much of the coin was bought or sold, before fees.")
@click.option("--quote", callback=_amount, help="Filled: how much of the quote coin was paid or got, before fees.")
@click.option("--up-to", "up_to", callback=_amount, help="A plan: the turnover that you allow, in the quote coin.")
@click.option("--reason", default="", help="Kept in the journal: what you looked at.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(
    *,
    what: str,
    outcome: str | None,
    quantity: Decimal | None,
    quote: Decimal | None,
    up_to: Decimal | None,
    reason: str,
    yes: bool,
) -> None:
    """Answer WHAT: the number of a halt, a coin, RUN/NUMBER of a quarantined order, or a run whose plan asks.

    `status` shows the first three. An order that was filled, wholly or in part, needs --quantity and --quote, as the
    exchange's order page shows them; a plan needs --up-to.
    """
    settings = load_settings()
    path = settings.paths.journal(settings.venue_kind)
    if not path.exists():
        raise ConfigError(f"{path}: there is no journal, so nothing waits for an answer")
    who = getpass.getuser()
    click.echo(heading(settings.mode, settings.venue_kind))
    with hold_lock(settings.paths.lock), Journal.open(path, SystemClock()) as journal:
        if what.isdecimal():
            _answer_halt(journal, int(what), who, yes=yes)
        elif what in journal.state.coins:
            _answer_coin(journal, what, who, yes=yes)
        elif "/" not in what:
            allow(journal, settings.paths.targets, Leave(what, up_to, who), yes=yes)
        else:
            record = _waiting(journal, what)
            word = _word(what, outcome, quantity, quote)
            _answer_order(journal, record, word, who, reason, yes=yes)


def _answer_halt(journal: Journal, number: int, who: str, *, yes: bool) -> None:
    halt = journal.state.halts.get(number)
    if halt is None:
        known = ", ".join(map(str, journal.state.halts)) or "none"
        raise ConfigError(f"{number} is no open halt; open: {known}")
    click.echo("\n".join(lines_of(f"Halt {number} since {halt.since}: {halt.text}")))
    if not yes:
        click.confirm("Have you looked into it, and may trading go on?", abort=True)
    journal.append(records.ack_halt(number, who))
    click.echo("Acknowledged; the next cycle plans afresh.")


def _answer_coin(journal: Journal, asset: str, who: str, *, yes: bool) -> None:
    """Let a frozen coin trade again; ConfigError when it is not frozen."""
    coin = journal.state.coins[asset]
    if coin.lacks_row:
        _answer_rowless(journal, asset, coin, who, yes=yes)
        return
    if coin.state is not CoinState.FROZEN:
        frozen = [each for each, known in journal.state.coins.items() if known.state is CoinState.FROZEN]
        raise ConfigError(f"{asset} is not frozen; frozen: {', '.join(frozen) or 'none'}")
    known = f", last trusted at {plain(coin.price)}" if coin.price is not None else ""
    click.echo("\n".join(lines_of(f"{asset} is frozen since {coin.since:%Y-%m-%d %H:%M} UTC{known}: {coin.why}")))
    if not yes:
        click.confirm("Have you looked into it, and may the coin trade again at the price it has now?", abort=True)
    journal.append(records.ack_coin(asset, who))
    click.echo("Acknowledged; the next cycle looks at it afresh, and its first order is the smallest one.")


def _answer_rowless(journal: Journal, asset: str, coin: CoinTrust, who: str, *, yes: bool) -> None:
    """Let a coin without a balance row count as not held; ConfigError when it was held before."""
    if asset in journal.state.ever_held:
        raise ConfigError(
            f"{asset} was held before and has no balance row now: no word can say how much of it there is; "
            "look at HTX, and take it out of the targets if it is gone"
        )
    text = f"The exchange lists no balance of {asset} since {coin.rowless_since:%Y-%m-%d %H:%M} UTC, not even of zero."
    click.echo("\n".join(lines_of(text)))
    if not yes:
        click.confirm(f"Have you seen on the exchange's own page that you hold no {asset}?", abort=True)
    journal.append(records.ack_coin(asset, who))
    click.echo(f"Acknowledged; {asset} counts as not held until it has a row, and its first order is the smallest one.")


def _waiting(journal: Journal, what: str) -> IntentRecord:
    """Return the quarantined order of that name; ConfigError with those that there are."""
    run, _, number = what.rpartition("/")
    record = journal.state.intents.get((run, int(number))) if number.isdecimal() else None
    if record is None or record.state is not IntentState.QUARANTINED:
        waiting = [r for r in journal.state.unresolved if r.state is IntentState.QUARANTINED]
        known = ", ".join(f"{r.run_id}/{r.intent_seq}" for r in waiting) or "none"
        raise ConfigError(f"{what} is no order that waits for your answer; waiting: {known}")
    return record


def _word(what: str, outcome: str | None, quantity: Decimal | None, quote: Decimal | None) -> Word:
    """Return the owner's word on an order; UsageError when its parts do not fit each other."""
    if outcome is None:
        raise click.UsageError(f"say what became of {what}: --outcome {' | '.join(OUTCOMES)}")
    if outcome == ABSENT:
        if quantity is not None or quote is not None:
            raise click.UsageError("an order that never was has traded nothing: leave --quantity and --quote out")
        return Word(outcome, None)
    if quantity is None or quote is None:
        raise click.UsageError(f"say how much of it was {outcome}: --quantity (the coin) and --quote (what it cost)")
    return Word(outcome, (quantity, quote))


def _answer_order(journal: Journal, record: IntentRecord, word: Word, who: str, reason: str, *, yes: bool) -> None:
    amount = plain(record.sent_amount or record.amount)
    click.echo("\n".join(lines_of(f"{record.side} {record.symbol} {amount}, {record.client_order_id}: {record.text}")))
    if not yes:
        click.confirm(f"Record it as {word.text(record.asset)}?", abort=True)
    event, text = OUTCOMES[word.outcome], reason or word.outcome
    journal.append(records.ack_intent(*record.key, event, who=who, text=text, filled=word.filled))
    click.echo("Recorded; the next cycle plans from the balances.")
