"""`rebalancer run`: one cycle now."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from rebalancer.cli.context import DRY_RUN, LIVE, load_checked_targets, load_settings, mode_of, note
from rebalancer.cli.exits import Exit
from rebalancer.cli.house import open_house
from rebalancer.cli.stopping import stop_wish
from rebalancer.cli.terminal import echo_document, heading, lines_of, wants_colour
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.core.plan_json import PlanHeader
    from rebalancer.service.cycle import CycleResult
    from rebalancer.service.shell import Progress

MANUAL = "manual"
# Where the bare status would leave the owner asking.
_END = {
    (DRY_RUN, "done"): "done, nothing was sent",
    (LIVE, "work_left"): "work left for the next cycle",
    (LIVE, "stopped"): "stopped, the rest was not sent",
    (LIVE, "outcome_unknown"): "an order's outcome is unknown; the next run asks again",
}


@click.command(epilog="\b\nExamples:\n  rebalancer run\n  REBALANCER_MODE=live rebalancer run --live")
@click.option("--live", is_flag=True, help="Trade; REBALANCER_MODE=live must be set too.")
@click.option("--settle", default=480.0, type=click.FloatRange(0), show_default=True,
              help="Seconds to wait for an order whose outcome is unknown.")  # fmt: skip
@click.option("--force", is_flag=True, help="Bring every asset to its target, inside its band or not.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(*, live: bool, settle: float, force: bool, as_json: bool) -> int:
    """Run one cycle: look, decide, and with --live carry it out.

    SIGTERM or Ctrl-C ends a live cycle after the order under way; a second one ends it at once.
    """
    from rebalancer.logs import configure  # noqa: PLC0415

    settings = load_settings()
    configure(settings.log_level)
    mode = mode_of(settings, live_flag=live)
    if settings.mode == LIVE and not live:
        note("REBALANCER_MODE is live, but --live is missing: this is a dry run")
    targets = load_checked_targets(settings.paths.targets, live=mode == LIVE)
    if not as_json:
        note(f"{heading(mode, settings.venue_kind)}: one cycle")
    clock = SystemClock(settings.clock_rate)
    with (
        stop_wish(clock) if mode == LIVE else nullcontext(_never) as stopping,
        open_house(
            settings, targets, mode=mode, clock=clock, say=_progress(quiet=as_json), stop_requested=stopping
        ) as house,
    ):
        house.recover()
        house.take_over(targets)
        result = house.cycle(targets, schedule_id=MANUAL, slot=clock.now(), settle_s=settle, forced=force)
    show(result, as_json=as_json)
    return exit_of_status(result)


def _never() -> bool:
    """Return that nobody asks a dry run to stop: it sends nothing, so it may end at any moment."""
    return False


def _progress(*, quiet: bool):  # type: ignore[no-untyped-def]  # noqa: ANN202
    def say(progress: Progress) -> None:
        if not quiet and progress.symbol:
            note(f"  {progress_words(progress)}")
        elif not quiet and progress.step.value in {"warning", "halted", "recovered", "observed"}:
            note(f"! {progress.text}")

    return say


def progress_words(progress: Progress) -> str:
    """Return a step of an order in words, with the symbol named once."""
    named = "" if progress.symbol in progress.text else f"{progress.symbol} "
    return f"{progress.step.value:<8} {named}{progress.text}"


def exit_of_status(result: CycleResult) -> Exit:
    """Return the exit code of how a cycle ended."""
    return {
        "within_bands": Exit.DONE,
        "done": Exit.DONE,
        "work_left": Exit.WORK_LEFT,
        "refused": Exit.REFUSED,
        "stopped": Exit.REFUSED,
        "outcome_unknown": Exit.OUTCOME_UNKNOWN,
    }[result.status.value]


def show(result: CycleResult, *, as_json: bool) -> None:
    """Print a cycle: its plan, and what became of the orders."""
    from rebalancer.cli.plan import render  # noqa: PLC0415
    from rebalancer.cli.results import ends_of, result_document  # noqa: PLC0415
    from rebalancer.core.plan_json import PlanHeader  # noqa: PLC0415
    from rebalancer.report.result import ends_text  # noqa: PLC0415

    if as_json:
        echo_document(result_document(result))
        return
    header = PlanHeader(result.run_id, result.mode, result.venue)
    if result.plan is not None:
        click.echo(render(result.plan, header, "text", colour=wants_colour()), nl=False)
        if result.orders:
            click.echo()
            click.echo(ends_text(ends_of(result.plan, result.orders)), nl=False)
    click.echo(end_text(header, result.status.value, result.text), nl=False)


def end_text(header: PlanHeader, status: str, text: str) -> str:
    """Return how a run ended: why before its plan did, if it did, and its status."""
    why = [*lines_of(text), ""] if text else []
    return "\n".join(["", *why, *lines_of(end_words(header, status))]) + "\n"


def end_words(header: PlanHeader, status: str) -> str:
    """Return a run's status in a sentence."""
    words = _END.get((header.mode, status), status.replace("_", " "))
    return f"{heading(header.mode, header.venue)}: {words} ({header.cycle_id})"
