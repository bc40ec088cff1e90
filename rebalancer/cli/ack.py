"""`rebalancer ack`: the owner's answer to a halt, a coin, an order to be judged, or a plan beyond the cap."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from rebalancer.cli.context import journal_to_read, load_settings, login_name
from rebalancer.cli.terminal import echo_document, heading, lines_of
from rebalancer.core.money import parse_decimal, plain
from rebalancer.errors import ConfigError
from rebalancer.service.clock import SystemClock
from rebalancer.service.questions import ABSENT, OUTCOMES, About, Question, Word, find, misses_its_price

if TYPE_CHECKING:
    from datetime import datetime

    from rebalancer.core.model import Usage
    from rebalancer.settings import Settings

TIMEOUT_MAX_S = 7200  # as long as an answer counts
ASKED = {
    About.HALT: "Have you looked into it, and may trading go on?",
    About.COIN: "Have you looked into it, and may the coin trade again at the price it has now?",
    About.ROW: "Have you seen on the exchange's own page that you hold no {what}?",
    About.ORDER: "Record it as {word}?",
    About.PLAN: "Allow a turnover of {word} for these weights, within the limits?",
}


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


def _seconds(_ctx: click.Context, _param: click.Parameter, seconds: float) -> float:
    """Refuse what compares with no limit."""
    if math.isnan(seconds):
        raise click.BadParameter("is no number of seconds")
    return seconds


def _words(_ctx: click.Context, _param: click.Parameter, text: str) -> str:
    """Read words that can be kept."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise click.BadParameter("is no UTF-8 text") from None
    return text


@click.command(
    epilog="\b\nExamples:\n  rebalancer ack 118\n  rebalancer ack DOGE --wait\n"
    "  rebalancer ack manual-20260301T1200Z-a1/2 --outcome absent\n"
    "  rebalancer ack manual-20260301T1200Z-a1/2 --outcome filled \\\n"
    "      --quantity 0.0121 --quote 581.17\n  rebalancer ack manual-20260301T1200Z-a1 --up-to 8000"
)
@click.argument("what")
@click.option("--outcome", type=click.Choice(list(OUTCOMES)), help="What became of the order.")
@click.option("--quantity", callback=_amount, help="Filled: how much of the coin was bought or sold, before fees.")
@click.option("--quote", callback=_amount, help="Filled: how much of the quote coin was paid or got, before fees.")
@click.option("--up-to", "up_to", callback=_amount, help="A plan: the turnover that you allow, in the quote coin.")
@click.option("--reason", default="", callback=_words, help="Kept in the journal: what you looked at.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", is_flag=True, help="While the service runs: wait until it took the answer.")
@click.option("--timeout", "timeout_s", default=300.0, type=click.FloatRange(0, TIMEOUT_MAX_S), show_default=True,
              callback=_seconds, help="Seconds to wait; 11 where that was too short.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; needs --yes.")
def command(
    *,
    what: str,
    outcome: str | None,
    quantity: Decimal | None,
    quote: Decimal | None,
    up_to: Decimal | None,
    reason: str,
    yes: bool,
    wait: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Answer WHAT: the number of a halt, a coin, RUN/NUMBER of a quarantined order, or a run whose plan asks.

    `status` shows the first three. An order that was filled, wholly or in part, needs --quantity and --quote, as the
    exchange's order page shows them; a plan needs --up-to.

    While the service runs, the answer is given to it: it takes it within a quarter of a minute, or once the cycle under
    way has ended, if the question is still the one that you were shown. An answer that nobody took counts for two
    hours.
    """
    from rebalancer.cli.delivery import deliver  # noqa: PLC0415
    from rebalancer.service.answers import Answer, account_of  # noqa: PLC0415

    if as_json and not yes:
        raise click.UsageError("--json cannot ask; add --yes")
    settings = load_settings()
    clock = SystemClock(settings.clock_rate)
    path = settings.paths.journal(settings.venue_kind)
    if not path.exists():
        raise ConfigError(f"{path}: there is no journal, so nothing waits for an answer")
    if not as_json:
        click.echo(heading(settings.mode, settings.venue_kind))
    with journal_to_read(path, clock) as journal:
        question = find(journal, what, lambda: digest_in_force(settings))
        account, usage = account_of(journal), journal.state.usage(clock.now(), "")
        word = _word(question, outcome, (quantity, quote), up_to, reason)
        if word.filled is not None and (wrong := misses_its_price(journal, what, word.filled)):
            raise click.UsageError(wrong)
    if not as_json:
        click.echo("\n".join(lines_of(question.text)))
        if word.up_to_quote is not None and (pace := _pace(settings, usage, word.up_to_quote, clock.now())):
            click.echo("\n".join(lines_of(pace)))
    if not yes:
        click.confirm(ASKED[question.about].format(what=question.what, word=_said(question, word)), abort=True)
    answer = Answer(question, word, login_name(), clock.now(), account)
    delivered = deliver(settings, answer, clock, timeout_s if wait else None)
    if as_json:
        echo_document(delivered.document(settings))
    else:
        click.echo("\n".join(line for text in delivered.texts() for line in lines_of(text)))


def digest_in_force(settings: Settings) -> str:
    """Return the digest of the weights in the targets file; ConfigError when that is not in order."""
    from rebalancer.service.cycle import weights_digest  # noqa: PLC0415  # with the planner behind it
    from rebalancer.targets.file import load_targets  # noqa: PLC0415

    return weights_digest(load_targets(settings.paths.targets).weights)


def _word(
    question: Question,
    outcome: str | None,
    amounts: tuple[Decimal | None, Decimal | None],
    up_to: Decimal | None,
    reason: str,
) -> Word:
    """Return the owner's word; UsageError when its parts do not fit each other or the question."""
    what, (quantity, quote) = question.what, amounts
    if up_to is not None and question.about is not About.PLAN:
        raise click.UsageError(f"--up-to is for a plan; {what} is about {_a(question.about)}")
    if question.about is not About.ORDER:
        if (outcome, quantity, quote) != (None, None, None):
            text = f"--outcome, --quantity and --quote are for an order; {what} is about {_a(question.about)}"
            raise click.UsageError(text)
        if question.about is About.PLAN and up_to is None:
            raise click.UsageError(f"say how much you allow with --up-to; {question.text}")
        return Word(up_to_quote=up_to, reason=reason)
    if outcome is None:
        raise click.UsageError(f"say what became of {what}: --outcome {' | '.join(OUTCOMES)}")
    if outcome == ABSENT:
        if quantity is not None or quote is not None:
            raise click.UsageError("an order that never was has traded nothing: leave --quantity and --quote out")
        return Word(outcome, reason=reason)
    if quantity is None or quote is None:
        raise click.UsageError(f"say how much of it was {outcome}: --quantity (the coin) and --quote (what it cost)")
    return Word(outcome, (quantity, quote), reason=reason)


def _a(about: About) -> str:
    return f"{'an' if about is About.ORDER else 'a'} {'coin' if about is About.ROW else about.value}"


def _said(question: Question, word: Word) -> str:
    """Return the word as the owner is asked to confirm it."""
    if word.up_to_quote is not None:
        return f"up to {plain(word.up_to_quote)} {question.facts['quote']}"
    if word.filled is None:
        return word.outcome
    return f"{word.outcome}: {plain(word.filled[0])} {question.facts['asset']} for {plain(word.filled[1])}"


def _pace(settings: Settings, usage: Usage, up_to_quote: Decimal, now: datetime) -> str:
    """Return over how many days the schedule spreads what is allowed, where it is more than one."""
    from rebalancer.core.spread import days_of_looks  # noqa: PLC0415
    from rebalancer.cron_trigger import slots_a_day  # noqa: PLC0415
    from rebalancer.targets.file import load_targets  # noqa: PLC0415

    targets, nav_quote = load_targets(settings.paths.targets), usage.nav_validated_quote
    if nav_quote is None:
        return ""
    schedule, cap = targets.schedule, plain(targets.limits.max_turnover_per_cycle)
    a_day = slots_a_day(schedule.cron, schedule.timezone, now)
    days = days_of_looks(targets, usage, nav_quote, up_to_quote, a_day)
    return "" if days == 1 else f"With {cap} % of the portfolio a look, the schedule spreads it over about {days} days."
