"""`rebalancer targets set`, `confirm` and `undo`: changes of the weights, each shown with its trades and cost first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.context import load_settings
from rebalancer.cli.exits import Exit
from rebalancer.cli.listing import require_listed
from rebalancer.cli.target_file import change_file, text_before, text_kept
from rebalancer.cli.target_words import targets_document, text_of
from rebalancer.cli.terminal import echo_document, heading, lines_of
from rebalancer.core.money import parse_decimal
from rebalancer.core.targets import Targets
from rebalancer.cron_trigger import slots_a_day
from rebalancer.errors import ConfigError, RebalancerError
from rebalancer.targets.changes import How
from rebalancer.targets.edit import diff, set_weights, with_weights
from rebalancer.targets.file import load_targets, parse_targets
from rebalancer.targets.share import share_rest

if TYPE_CHECKING:
    from rebalancer.settings import Settings


@click.command(
    name="set",
    short_help="Change weights; shows the trades and the cost first.",
    epilog="\b\nExamples:\n  rebalancer targets set BTC=40 USDT=10\n  rebalancer targets set ETH=30 --leave SOL\n"
    "  rebalancer targets set ETH=30 --exit SOL\n  rebalancer targets set BTC=40 --lock ETH",
)
@click.argument("weights", nargs=-1, metavar="ASSET=PERCENT...")
@click.option("--exit", "sell", multiple=True, metavar="ASSET", help="Take a coin out and sell it completely.")
@click.option("--leave", multiple=True, metavar="ASSET", help="Take a coin out of the targets and leave it alone.")
@click.option("--lock", multiple=True, metavar="ASSET", help="Leave this weight; the coins not named share the rest.")
@click.option("--share", is_flag=True, help="Let the coins that are not named share the rest, in proportion.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-preview", is_flag=True, help="Do not ask the exchange, neither for the trades nor for its list.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; needs --yes.")
def set_(
    *,
    weights: tuple[str, ...],
    sell: tuple[str, ...],
    leave: tuple[str, ...],
    lock: tuple[str, ...],
    share: bool,
    yes: bool,
    no_preview: bool,
    as_json: bool,
) -> int:
    """Change weights: shows the trades and the cost first, keeps comments, order and the version before.

    A weight of 0 is a question: sell the coin completely (--exit), or leave it alone (--leave)? With --lock or --share
    the other weights share what is left, in proportion, so that all sum to exactly 100.
    """
    if not weights and not leave and not sell:
        raise click.UsageError("name at least one ASSET=PERCENT, --exit ASSET or --leave ASSET")
    if as_json and not yes:
        raise click.UsageError("--json cannot ask; add --yes")
    settings = load_settings()
    path = settings.paths.targets
    current = load_targets(path)  # a file with mistakes is mended by hand first
    before = text_of(path)
    edit = _wished(weights, sell, leave, ask=not yes)
    if lock or share:
        locked = [asset.upper() for asset in lock]
        edit = replace(edit, weights=share_rest(current.weights, edit.weights, [*edit.sell, *edit.leave], locked))
    after = set_weights(before, edit.weights, edit.leave, str(path), sell=edit.sell)
    targets = parse_targets(after, str(path))
    require_listed(settings, current, targets, ask=not no_preview)
    changes = diff(before, after, f"{path} (new)", f"{path} (now)")
    if not as_json:
        click.echo(heading(settings.mode, settings.venue_kind))
    if not changes:
        if as_json:
            nothing = dict.fromkeys(("previous", "preview", "spread", "price_tag"))
            echo_document(targets_document(path, targets) | nothing)
        else:
            click.echo("Nothing would change: these are the weights already.")
        return Exit.DONE
    preview = None if no_preview else _preview(settings, targets, quiet=as_json)
    if not as_json:
        click.echo(changes, nl=False)
        click.echo(preview["text"] if preview else "", nl=False)
    if not yes:
        click.confirm("Change the targets?", abort=True)
    previous = change_file(settings, after, targets, How.SET)
    if as_json:
        parts = {"preview": "plan", "spread": "spread", "price_tag": "tag"}
        seen = {name: preview and preview[part] for name, part in parts.items()}
        echo_document(targets_document(path, targets) | {"previous": str(previous)} | seen)
    else:
        click.echo(f"Changed; the next cycle uses it. The version before is kept:\n{previous}")
    return Exit.DONE


@click.command(short_help="Put in force what was staged on the page; shows the trades first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-preview", is_flag=True, help="Do not ask the exchange, neither for the trades nor for its list.")
@click.option("--discard", is_flag=True, help="Forget what was staged instead.")
def confirm(*, yes: bool, no_preview: bool, discard: bool) -> int:
    """Put the weights in force that were staged on the page: shows the trades and the cost first."""
    from rebalancer.targets.staging import staged_in, unstage  # noqa: PLC0415

    settings = load_settings()
    path, state = settings.paths.targets, settings.paths.state
    staged = staged_in(state)
    if staged is None:
        raise ConfigError("nothing is staged; the page does that, in its view of the targets")
    if discard:
        unstage(state)
        click.echo("Forgotten; the targets stay as they are.")
        return Exit.DONE
    current = load_targets(path)
    if staged.based_on != current.digest:
        raise ConfigError(f"{path}: was changed after this was staged; stage again, or `targets confirm --discard`")
    after = with_weights(text_of(path), staged.weights, str(path))
    require_listed(settings, current, parse_targets(after, str(path)), ask=not no_preview)
    _put_in_force(settings, path, after, How.CONFIRM, yes=yes, no_preview=no_preview)
    unstage(state)
    return Exit.DONE


@click.command(
    short_help="Go back to the version before, or to an older one; shows the trades first.",
    epilog="\b\nExamples:\n  rebalancer targets undo\n  rebalancer targets undo 5f3a91c2",
)
@click.argument("version", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-preview", is_flag=True, help="Do not ask the exchange, neither for the trades nor for its list.")
def undo(*, version: str | None, yes: bool, no_preview: bool) -> int:
    """Go back to the version before the last change, or to VERSION as `targets history` names it.

    A second undo goes forth again.
    """
    settings = load_settings()
    path = settings.paths.targets
    after = text_before(path) if version is None else text_kept(settings.paths.state, version)
    _put_in_force(settings, path, after, How.UNDO, yes=yes, no_preview=no_preview)
    return Exit.DONE


def _put_in_force(settings: Settings, path: Path, after: str, how: How, *, yes: bool, no_preview: bool) -> None:
    """Replace the file by a text that is in order, once its owner saw what that means."""
    targets = parse_targets(after, str(path))
    changes = diff(text_of(path), after, f"{path} (new)", f"{path} (now)")
    click.echo(heading(settings.mode, settings.venue_kind))
    if not changes:
        click.echo("Nothing would change.")
        return
    preview = None if no_preview else _preview(settings, targets, quiet=False)
    click.echo(changes, nl=False)
    click.echo(preview["text"] if preview else "", nl=False)
    if not yes:
        click.confirm("Change the targets?", abort=True)
    previous = change_file(settings, after, targets, how)
    click.echo(f"Changed; the next cycle uses it. The version before is kept:\n{previous}")


@dataclass(frozen=True, slots=True)
class _Edit:
    """What the owner wants changed: weights, coins to sell completely and coins to leave alone."""

    weights: dict[str, Decimal]
    sell: list[str]
    leave: list[str]


def _wished(weights: tuple[str, ...], sell: tuple[str, ...], leave: tuple[str, ...], *, ask: bool) -> _Edit:
    """Return the edit; what a weight of 0 means is asked, or a UsageError where nobody can be asked."""
    made = _Edit(_changes(weights), [asset.upper() for asset in sell], [asset.upper() for asset in leave])
    for asset in [asset for asset, percent in made.weights.items() if percent == 0]:
        del made.weights[asset]
        if asset in made.sell or asset in made.leave:
            continue
        if not ask:
            raise click.UsageError(f"{asset}=0: say `--exit {asset}` to sell it completely, or `--leave {asset}`")
        question = f"{asset}=0: sell it completely, or leave it alone?"
        word = click.prompt(question, type=click.Choice(["sell", "leave"]))
        (made.sell if word == "sell" else made.leave).append(asset)
    both = set(made.sell) & set(made.leave)
    if both:
        raise click.UsageError(f"{', '.join(sorted(both))}: to be sold and left alone; choose one")
    return made


def _changes(weights: tuple[str, ...]) -> dict[str, Decimal]:
    made: dict[str, Decimal] = {}
    for part in weights:
        asset, separator, figure = part.partition("=")
        try:
            percent = parse_decimal(figure)
        except ValueError:
            raise click.BadParameter(f"{part!r} is not ASSET=PERCENT; write for example BTC=40") from None
        if not separator or not asset or asset.upper() in made:
            raise click.BadParameter(f"{part!r}: each asset once, as ASSET=PERCENT")
        made[asset.upper()] = percent
    return made


def _preview(settings: Settings, targets: Targets, *, quiet: bool) -> dict[str, Any] | None:
    """Return the plan that the new targets would cause; without the exchange, say so and go on."""
    from rebalancer.cli.plan import make_dry_plan, render, tag_lines  # noqa: PLC0415
    from rebalancer.core.plan_json import plan_document  # noqa: PLC0415
    from rebalancer.core.spread import spread_of  # noqa: PLC0415
    from rebalancer.report.spread import spread_document, spread_text  # noqa: PLC0415

    try:
        made = make_dry_plan(settings, targets, changed=True)
    except RebalancerError as exc:
        if not quiet:
            click.echo(f"! no preview of the trades: {exc}", err=True)
        return None
    seen, schedule = made.decided.snapshot, targets.schedule
    looks = slots_a_day(schedule.cron, schedule.timezone, seen.taken_at)
    spread = spread_of(seen, targets, made.decided.usage, looks)
    said = "\n".join(lines_of(spread_text(spread, targets))) + "\n" if spread else ""
    text = "\n" + render(made.plan, made.header, "text", colour=False) + said + tag_lines(made.tag) + "\n"
    return {
        "plan": plan_document(made.plan, made.header),
        "spread": spread and spread_document(spread),
        "tag": made.tag and made.tag.document(),
        "text": text,
    }
