"""`rebalancer plan`: the dry-run report. Takes no lock and writes nothing but the file asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rebalancer.cli.context import (
    DRY_RUN,
    account_of,
    connect,
    journal_to_read,
    load_checked_targets,
    load_settings,
    make_shell,
    note,
)
from rebalancer.cli.exits import Exit
from rebalancer.cli.terminal import heading, lines_of, wants_colour
from rebalancer.core.ids import run_id
from rebalancer.core.targets import Targets
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.core.plan import Plan
    from rebalancer.core.plan_json import PlanHeader
    from rebalancer.report.price_tag import PriceTag
    from rebalancer.service.cycle import Decided
    from rebalancer.settings import Settings

FORMATS = ("text", "json", "csv", "md", "html")


@click.command(epilog="\b\nExamples:\n  rebalancer plan\n  rebalancer plan --format html --output report.html")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Of the report.")
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead of stdout.")
@click.option("--force", is_flag=True, help="Plan as if every asset were outside its band.")
@click.option("--exit-code", is_flag=True, help="End with 10 when there are trades to make.")
def command(*, form: str, as_json: bool, output: Path | None, force: bool, exit_code: bool) -> int:
    """Show what would be traded now and why; nothing is sent."""
    settings = load_settings()
    targets = load_checked_targets(settings.paths.targets, live=False)
    made = make_dry_plan(settings, targets, forced=force)
    plan, header, tag = made.plan, made.header, made.tag
    form = "json" if as_json else form
    shown = render(plan, header, form, colour=output is None and wants_colour())
    if form == "text":
        shown += tag_lines(tag)
    if output is None:
        click.echo(shown, nl=False)
    else:
        write_report(output, shown)
        if form != "json":
            note(f"{heading(header.mode, header.venue)}: the report is in {output}")
    for denial in plan.denials if form == "csv" else ():
        note(f"! {denial.text} ({denial.code.value})")  # the table has no place for it
    if plan.refused:
        return Exit.REFUSED
    return Exit.TRADES_TO_MAKE if exit_code and plan.legs else Exit.DONE


@dataclass(frozen=True, slots=True)
class DryPlan:
    """A plan that nobody carries out, what it was made of, and what its policy may be expected to cost."""

    decided: Decided
    header: PlanHeader
    tag: PriceTag | None

    @property
    def plan(self) -> Plan:
        """Return the plan itself."""
        return self.decided.plan


def make_dry_plan(settings: Settings, targets: Targets, *, forced: bool = False, changed: bool = False) -> DryPlan:
    """Plan on the venue of the settings with what its journal knows, and quote the policy; nothing is written.

    `changed` plans as the first cycle after a change of targets would.
    """
    clock = SystemClock(settings.clock_rate)
    kind = settings.venue_kind
    with connect(settings, kind, clock=clock, codes=targets.codes, keep=keeps_embedded(settings, kind)) as connection:
        connection.venue.fetch_server_time()
        account_id = account_of(settings, connection, live=False)
        # Only now: the first request is on its way before the heavier half of the program is loaded.
        from rebalancer.cli.price_tags import tag_of  # noqa: PLC0415
        from rebalancer.core.plan_json import PlanHeader  # noqa: PLC0415
        from rebalancer.service.cycle import decide  # noqa: PLC0415

        with journal_to_read(settings.paths.journal(kind), clock) as journal:
            shell = make_shell(settings, connection, journal, clock=clock, mode=DRY_RUN, account_id=account_id)
            decided = decide(shell, targets, forced=forced, changed=changed)
    header = PlanHeader(run_id("plan", decided.plan.taken_at, 1), DRY_RUN, kind)
    return DryPlan(decided, header, tag_of(settings, targets, decided))


def tag_lines(tag: PriceTag | None) -> str:
    """Return what stands below a report of what its policy may be expected to cost."""
    if tag is None:
        return ""
    from rebalancer.report.price_tag import tag_text  # noqa: PLC0415

    return "\n".join(lines_of(tag_text(tag))) + "\n"


def keeps_embedded(settings: Settings, kind: str) -> bool:
    """Use the embedded exchange that `run` keeps, if it ever ran; a plan alone makes none."""
    if kind != "embedded":
        return False
    from rebalancer.cli.embedded import STATE_NAME  # noqa: PLC0415  # the simulator, only where it is used

    return (settings.paths.embedded / STATE_NAME).exists()


def render(plan: Plan, header: PlanHeader, form: str, *, colour: bool) -> str:
    """Return the report in one of its forms."""
    match form:
        case "json":
            import json  # noqa: PLC0415

            from rebalancer.core.plan_json import plan_document  # noqa: PLC0415

            return json.dumps(plan_document(plan, header), indent=2) + "\n"
        case "csv":
            from rebalancer.report.tables import plan_csv  # noqa: PLC0415

            return plan_csv(plan, header)
        case "md":
            from rebalancer.report.tables import plan_markdown  # noqa: PLC0415

            return plan_markdown(plan, header)
        case "html":
            from rebalancer.report.html import plan_html  # noqa: PLC0415

            return plan_html(plan, header)
    from rebalancer.report.text import plan_text  # noqa: PLC0415

    return plan_text(plan, header, colour=colour)


def write_report(path: Path, text: str) -> None:
    """Put a report in a file's place: whoever reads it meanwhile sees the old one or the new one, never a half."""
    from rebalancer.durable import write_durably  # noqa: PLC0415  # only for a report that is kept

    try:
        if path.exists() and not path.is_file():  # a pipe or a terminal is written to, not replaced
            path.write_text(text, encoding="utf-8")
            return
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        write_durably(path.resolve(), text.encode(), mode)
    except OSError as exc:
        raise click.BadParameter(f"{path} cannot be written: {exc.strerror}", param_hint="--output") from None


def _umask() -> int:
    """Return the mask of new files; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
