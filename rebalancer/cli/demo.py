"""`rebalancer demo`: the whole job on an embedded exchange, in a temporary folder, in seconds."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from rebalancer.cli.context import DRY_RUN, LIVE, account_of, connect, make_shell, open_journal
from rebalancer.cli.exits import Exit
from rebalancer.cli.terminal import heading, wants_colour
from rebalancer.core.money import ZERO
from rebalancer.service.clock import SystemClock
from rebalancer.targets.file import parse_targets

if TYPE_CHECKING:
    from rebalancer.cli.context import Connection
    from rebalancer.core.targets import Targets
    from rebalancer.service.cycle import CycleResult
    from rebalancer.service.shell import Progress, Shell

CYCLES_MAX = 6
TARGETS = """
version = 1
quote   = "USDT"

[weights]
BTC  = 35
ETH  = 25
SOL  = 10
XRP  = 10
LINK = 5
USDT = 15

[limits]
max_turnover_per_cycle = 10
max_turnover_per_day   = 50
max_notional_per_day   = 20000
max_order_notional     = 2000
"""


class _LaterClock(SystemClock):
    """The real time, and however much later the demo makes it."""

    later = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.later


@click.command(epilog="\b\nExamples:\n  rebalancer demo\n  rebalancer demo --serve --days-a-minute 2")
@click.option("--serve", is_flag=True, help="Weeks of hourly looks in minutes, beside the page, until stopped.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), show_default=True,
              help="Of the page, with --serve; 0 picks a free one.")  # fmt: skip
@click.option("--days-a-minute", default=14.0, type=click.FloatRange(0.01, 1000), show_default=True,
              help="How quickly time passes with --serve.")  # fmt: skip
@click.pass_context
def command(ctx: click.Context, *, serve: bool, port: int, days_a_minute: float) -> int:
    """Show everything once: a drifted account, the dry-run report, the orders, the settled result.

    Needs no key, no network and no files; nothing is left behind. With --serve it goes on, hourly, as a service would,
    while money comes and goes and an exchange has its moods; that needs pip install 'rebalancer[web]'.
    """
    if serve:
        from rebalancer.cli.demo_served import serve_demo  # noqa: PLC0415

        serve_demo(TARGETS, port=port, days_a_minute=days_a_minute)
        return Exit.DONE
    given = [
        name for name in ("port", "days_a_minute") if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
    ]
    if given:
        raise click.UsageError(f"--{given[0].replace('_', '-')} belongs to --serve")
    return _once()


def _once() -> int:
    from rebalancer.settings import Settings  # noqa: PLC0415

    targets = parse_targets(TARGETS, "demo")
    with tempfile.TemporaryDirectory(prefix="rebalancer-demo-") as folder:
        # Nothing of the caller's own settings reaches the demo: neither key nor mode nor state.
        settings = Settings.model_construct(mode=LIVE, venue="embedded", state_dir=Path(folder), clock_rate=1.0)
        clock = _LaterClock()
        with connect(settings, "embedded", clock=clock, codes={}, live=True) as connection:
            connection.venue.fetch_server_time()
            account_id = account_of(settings, connection, live=True)
            journal = open_journal(Path(folder) / "journal.db", clock, connection, account_id, targets.quote)
            with journal:
                shell = make_shell(
                    settings, connection, journal, clock=clock, mode=LIVE, account_id=account_id, say=_say
                )
                return _show(shell, connection, targets, clock)


def _show(shell: Shell, connection: Connection, targets: Targets, clock: _LaterClock) -> int:
    click.echo(f"{heading('demo', connection.kind)}  no key, no network, nothing is left behind")
    _title(1, "A drifted account on an embedded exchange that speaks HTX's protocol")
    click.echo("The same client, planner and journal as in a live run.")
    _title(2, "The dry-run report: what would be traded, and why")
    _dry_report(shell, targets)
    from rebalancer.core.trust import APART  # noqa: PLC0415

    clock.later = APART  # a price is trusted from the second look on that is no moment after the first
    _title(3, "The same plan carried out, within the limits of each cycle")
    result = _settle(shell, targets)
    _title(4, "The settled result")
    return _close(shell, connection, result)


def _title(number: int, text: str) -> None:
    click.secho(f"\n{number}. {text}", bold=True, color=wants_colour())


def _say(progress: Progress) -> None:
    from rebalancer.cli.run import progress_words  # noqa: PLC0415

    if progress.symbol:
        click.echo(f"   {progress_words(progress)}")


def _dry_report(shell: Shell, targets: Targets) -> None:
    from rebalancer.cli.plan import render  # noqa: PLC0415
    from rebalancer.core.plan_json import PlanHeader  # noqa: PLC0415
    from rebalancer.service.cycle import run_cycle  # noqa: PLC0415

    # Written down as any dry run is: a price that was never seen before would get the smallest order first.
    dry = replace(shell, mode=DRY_RUN)
    plan = run_cycle(dry, targets, schedule_id="demo", slot=shell.clock.now(), settle_s=0).plan
    assert plan is not None
    click.echo(render(plan, PlanHeader("demo", DRY_RUN, "embedded"), "text", colour=wants_colour()), nl=False)


def _settle(shell: Shell, targets: Targets) -> CycleResult:
    """Run cycles until nothing is left to trade, as the schedule would."""
    from rebalancer.report.words import closing  # noqa: PLC0415
    from rebalancer.service.cycle import run_cycle  # noqa: PLC0415

    for number in range(1, CYCLES_MAX + 1):
        click.echo(f"cycle {number}:")
        result = run_cycle(shell, targets, schedule_id="demo", slot=shell.clock.now(), settle_s=30)
        assert result.plan is not None
        if not result.orders:
            click.echo(f"   {closing(result.plan, LIVE)}")
            return result
    return result


def _close(shell: Shell, connection: Connection, result: CycleResult) -> int:
    """Show where everything stands, and that both sides agree to the last digit."""
    from rebalancer.cli.plan import render  # noqa: PLC0415
    from rebalancer.core.plan_json import PlanHeader  # noqa: PLC0415

    assert result.plan is not None and connection.embedded is not None
    header = PlanHeader(result.run_id, LIVE, "embedded")
    click.echo(render(result.plan, header, "text", colour=wants_colour()), nl=False)
    user, state = connection.embedded.user, shell.journal.state
    seen = shell.venue.fetch_balances(shell.account_id)
    differing = [
        asset
        for asset, held in seen.items()
        if held.total and held.total != user.wallet(asset.lower()).trade + user.wallet(asset.lower()).frozen
    ]
    orders = [record for record in state.intents.values() if record.sent_amount is not None]
    notional = sum((record.filled_quote for record in orders), ZERO)
    click.echo(f"\n{len(orders)} orders, {notional:,.2f} USDT traded, {shell.journal.verify()} journal rows verified.")
    click.echo("Balances on both sides agree to the last digit." if not differing else f"Balances differ: {differing}")
    click.echo("\nNext: `rebalancer plan` for a report, README.md for your own account.")
    return Exit.FAILURE if differing or state.unresolved else Exit.DONE
