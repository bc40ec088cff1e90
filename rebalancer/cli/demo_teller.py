"""What the served demo says in the terminal: what one sees, what will happen, and a line where something did."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from rebalancer.cli.demo_story import foretold
from rebalancer.cli.run import progress_words
from rebalancer.cli.terminal import heading, lines_of, wants_colour
from rebalancer.core.money import ZERO
from rebalancer.core.reasons import Deny
from rebalancer.report.words import money

if TYPE_CHECKING:
    from rebalancer.service.cycle import CycleResult
    from rebalancer.service.shell import Progress
    from rebalancer.settings import Paths

LOOKS_A_WEEK = 7 * 24
DIGITS = re.compile(r"\d+")  # by which the same trouble differs from look to look
TOLD_STEPS = {"unknown", "resolved", "halted", "recovered"}
WHERE = (
    "The first view holds what the account holds and wants, each drift inside its band, its worth beside an account "
    "that never traded and one that pays nothing, the last looks and the next one. Every look has a view of its own, "
    "with its orders, the evidence and the reason of each trade and non-trade. The token in the link logs in."
)
TRY = (
    "Try it: move the weights on the page, preview and stage them. The demo then answers in its owner's place, who "
    "types `rebalancer targets confirm`, and `rebalancer ack` for a large change. Ask for a dry run, or pause it. "
    "In another terminal every other verb looks at the demo too, at the prices of the present:"
)


class Teller:
    """Counts and says; a trouble that stays is said once."""

    def __init__(self, days_a_minute: float) -> None:
        self._pace = days_a_minute
        self._looks = 0
        self._orders = 0
        self._trouble = ""

    def welcome(self, link: str, paths: Paths, weeks: int) -> None:
        """Say where to look, what it shows, and what will happen."""
        click.echo(f"{heading('demo', 'embedded')}  no key, nothing beyond this machine, nothing is left behind\n")
        click.secho(f"  {link}\n", bold=True, color=wants_colour())
        self._say(WHERE)
        pace = f"About {self._pace:g} days pass in a minute, with a look an hour; {weeks} weeks lead up to now."
        self._say(f"{pace} Only the waiting is shortened. What will happen:")
        click.echo("\n".join(foretold()) + "\n")
        self._say(TRY)
        click.echo(f"  export REBALANCER_STATE_DIR={paths.state} \\")
        click.echo(f"    REBALANCER_TARGETS={paths.targets} REBALANCER_VENUE=embedded")
        click.echo("  rebalancer status        # or history, report; resume lifts a pause\n\nCtrl-C ends it.\n")

    def cycle(self, slot: datetime, result: CycleResult) -> None:
        """Say what a look led to where it led to something, and each week how things are."""
        self._looks += 1
        self._orders += len(result.orders)
        plan = result.plan
        worth = f"; worth {money(plan.nav_quote)}" if plan is not None and plan.nav_quote is not None else ""
        traded = sum((order.filled_quote for order in result.orders), ZERO)
        if traded:
            _line(slot, f"{len(result.orders)} order(s) of {money(traded)} USDT{worth}")
        denied = [each.text for each in plan.denials if each.code is not Deny.ACK_NEEDED] if plan is not None else []
        self._troubled(slot, result.text or "; ".join(denied))
        if self._looks % LOOKS_A_WEEK == 0:
            _line(slot, f"week {self._looks // LOOKS_A_WEEK} is over: {self._orders} order(s) so far{worth}")

    def failed(self, now: datetime, text: str) -> None:
        """Say why a look led to no plan."""
        self._looks += 1
        self._troubled(now, text)

    def step(self, now: datetime, progress: Progress) -> None:
        """Say what became of an order whose answer was lost."""
        if progress.step.value in TOLD_STEPS:
            _line(now, progress_words(progress))

    def happened(self, now: datetime, events: Sequence[str]) -> None:
        """Say what befell the account."""
        for event in events:
            _line(now, f"-- {event}")

    def answered(self, now: datetime, answer: str) -> None:
        """Say what the demo did in its owner's place, if it did anything."""
        if answer:
            _line(now, f">> {answer}")

    def farewell(self) -> None:
        """Say that it is over."""
        click.echo(f"\nstopped after {self._looks} looks and {self._orders} orders; nothing is left behind")

    def _troubled(self, now: datetime, text: str) -> None:
        what = DIGITS.sub("", text)
        if text and what != self._trouble:
            _line(now, text)
        self._trouble = what

    @staticmethod
    def _say(text: str) -> None:
        click.echo("\n".join(lines_of(text)))


def _line(now: datetime, text: str) -> None:
    click.echo("\n".join(lines_of(f"{now:%Y-%m-%d %H:%M}  {text}", later=" " * 18)))
