"""The `rebalancer` command: finds the verb, imports only its module, turns errors into exit codes."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import sys
from collections.abc import Sequence

import click

from rebalancer import __version__
from rebalancer.cli.exits import Exit, advice_for, exit_of
from rebalancer.errors import RebalancerError

# From harmless to harmful; the text stands here so that `--help` imports no verb.
VERBS: dict[str, str] = {
    "demo": "The whole job on an embedded exchange: no keys, no network, seconds.",
    "init": "First steps: tries the key, proposes targets, writes the files.",
    "check": "Doctor: settings, clock, exchange, key rights, symbols, journal.",
    "prices": "Public market prices; needs no key.",
    "plan": "Dry-run report: what would be traded, and why.",
    "status": "What is: mode, last run, open questions, pause.",
    "history": "What was: runs and their orders.",
    "report": "A recorded run again: its plan, and what became of it.",
    "replay": "A recorded plan made again of what it was made of, and compared.",
    "bundle": "A support file without secrets: versions, settings, targets, last runs.",
    "export": "The journal as tables: runs, orders, fills and worth, as CSV.",
    "backup": "A verified copy of the journal, made while the service goes on.",
    "targets": "Show, check, change or compare the target weights.",
    "backtest": "What the targets would have cost over price history.",
    "run": "One cycle now; trades only with --live and REBALANCER_MODE=live.",
    "serve": "Run cycles on the schedule until stopped.",
    "pause": "Stop every send from now on.",
    "resume": "Lift the pause.",
    "ack": "Answer a halt, a frozen coin or an order that only the owner can judge.",
    "restore": "Put a backup in the place of the journal.",
    "dashboard": "The page: allocation, runs, cost and health in a browser.",
    "assets": "Files for other programs: Grafana board, man page, completions.",
    "exchange": "A simulated HTX on loopback, for any HTX client.",
}


class LazyGroup(click.Group):
    """A group whose verbs are modules of this package, imported when called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the help."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module and return its `command`."""
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"rebalancer.cli.{cmd_name}").command
        assert isinstance(command, click.Command), cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest verb when the one typed does not exist."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib  # noqa: PLC0415  # only for a mistyped verb

            near = difflib.get_close_matches(args[0], VERBS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else " `rebalancer --help` lists the verbs."
            ctx.fail(f"No such verb {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs from the table, without importing them."""
        with formatter.section("Verbs, from harmless to harmful"):
            formatter.write_dl(list(VERBS.items()))


EPILOG = """\b
Examples:
  rebalancer demo                       see everything once, without keys
  rebalancer plan                       what would be traded now, and why
  rebalancer targets set BTC=40 USDT=10 change weights, with a preview
  rebalancer run --live                 one live cycle (REBALANCER_MODE=live)
"""


@click.command(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rebalancer", message="%(prog)s %(version)s")
def main() -> None:
    """Keep an HTX spot account near its owner's target weights.

    Dry run is the default everywhere; live trading needs REBALANCER_MODE=live and --live.
    """


def entry(argv: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with the code of `cli/exits.py`."""
    sys.exit(run(sys.argv[1:] if argv is None else list(argv)))


def run(argv: list[str]) -> int:
    """Run one command line and return its exit code; errors go to stderr, as JSON where JSON was asked for."""
    try:
        code = main.main(args=argv, prog_name="rebalancer", standalone_mode=False)
    except click.Abort as exc:
        _say_abort(exc, as_json=_wants_json(argv))
        return Exit.FAILURE
    except click.ClickException as exc:
        _say_usage(exc, as_json=_wants_json(argv))
        return exc.exit_code
    except RebalancerError as exc:
        _say_error(exc, as_json=_wants_json(argv))
        return exit_of(exc)
    except BrokenPipeError:
        # The reader of our output went away (`| head`); stop quietly, as other tools do.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILURE
    except Exception as exc:  # noqa: BLE001  # the last door: what comes here is a defect, told with its exit code
        _say_crash(exc, as_json=_wants_json(argv))
        return Exit.FAILURE
    return int(code) if isinstance(code, int) else Exit.DONE


def _wants_json(argv: Sequence[str]) -> bool:
    return (
        "--json" in argv
        or "--format=json" in argv
        or any(first == "--format" and second == "json" for first, second in itertools.pairwise(argv))
    )


def _say_error(error: RebalancerError, *, as_json: bool) -> None:
    from rebalancer.logs import redact  # noqa: PLC0415  # only when something went wrong

    text, advice = redact(str(error)), advice_for(error)
    if as_json:
        _say_document(getattr(error, "code", "") or type(error).__name__, exit_of(error), text, advice)
        return
    click.echo(f"rebalancer: {text}", err=True)
    if advice:
        click.echo(f"  -> {advice}", err=True)


def _say_document(code: str, number: int, message: str, advice: str) -> None:
    document = {
        "schema": "rebalancer.error/1",
        "code": code,
        "exit": int(number),
        "message": message,
        "next": advice,
    }
    click.echo(json.dumps(document), err=True)


def _say_usage(error: click.ClickException, *, as_json: bool) -> None:
    if not as_json:
        error.show()
        return
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "rebalancer"
    code = "usage" if error.exit_code == Exit.USAGE else type(error).__name__
    _say_document(code, error.exit_code, error.format_message(), f"see `{command} --help`")


def _say_abort(error: click.Abort, *, as_json: bool) -> None:
    """Tell a no to a question, which changed nothing, from an interruption, which may have come between two orders."""
    if isinstance(error.__cause__, KeyboardInterrupt):
        text, advice = "interrupted", "orders already sent are in the journal (`rebalancer status`)"
    else:
        text, advice = "not confirmed; nothing was changed", "`--yes` answers for you"
    if as_json:
        _say_document("aborted", Exit.FAILURE, text, advice)
    else:
        click.echo(f"rebalancer: {text}\n  -> {advice}", err=True)


def _say_crash(error: Exception, *, as_json: bool) -> None:
    import traceback  # noqa: PLC0415  # only when something went wrong

    from rebalancer.logs import describe_crash, redact  # noqa: PLC0415

    if os.environ.get("REBALANCER_LOG_LEVEL", "").upper() == "DEBUG":
        click.echo(redact("".join(traceback.format_exception(error))), err=True, nl=False)
    text = f"unexpected failure: {describe_crash(error)}"
    advice = "this is a defect; orders already sent are in the journal (`rebalancer status`)"
    if as_json:
        _say_document("crash", Exit.FAILURE, text, advice)
    else:
        click.echo(f"rebalancer: {text}\n  -> {advice}", err=True)
