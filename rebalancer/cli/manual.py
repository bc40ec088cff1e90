"""The man page and the shell completions, made from the verbs themselves."""

from __future__ import annotations

from collections.abc import Iterator

import click
from click.shell_completion import get_completion_class

from rebalancer import __version__
from rebalancer.cli.exits import MEANING

PROGRAM = "rebalancer"
SHELLS = ("bash", "zsh", "fish")


def completion(shell: str, main: click.Command) -> str:
    """Return what a shell sources to complete verbs and options."""
    kind = get_completion_class(shell)
    assert kind is not None, shell
    return kind(main, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source()


def manual(main: click.Group) -> str:
    """Return the manual page in roff."""
    # With the settings of `main`: click makes a command's help option once, with the names of the first context.
    context = click.Context(main, info_name=PROGRAM, **main.context_settings)
    lines = [
        f'.TH REBALANCER 1 "" "{PROGRAM} {__version__}" "User Commands"',
        ".ad l",  # an option with all its choices is too long a word to be spread over a line
        ".SH NAME",
        _text(f"{PROGRAM} - keep an HTX spot account near its owner's target weights"),
        ".SH SYNOPSIS",
        f".B {PROGRAM}\nVERB [OPTIONS]",
        ".SH DESCRIPTION",
        *_paragraphs(main.help or ""),
        ".SH VERBS",
    ]
    for name in main.list_commands(context):
        verb = main.get_command(context, name)
        assert verb is not None, name
        lines += _verb(verb, context, name)
    lines += [".SH EXIT STATUS"]
    for code, meaning in MEANING.items():
        lines += [".TP", f".B {int(code)}", _text(meaning)]
    lines += [".SH FILES", ".TP", ".I targets.toml", _text("What the owner decides: weights, bands, limits, schedule.")]
    return "\n".join(lines) + "\n"


def _verb(verb: click.Command, above: click.Context, name: str) -> Iterator[str]:
    context = click.Context(verb, info_name=name, parent=above)
    yield f".SS {_text(context.command_path)} {_text(' '.join(verb.collect_usage_pieces(context)))}"
    yield from _paragraphs(verb.help or "")
    for param in verb.params:
        record = param.get_help_record(context)
        if record is not None:
            yield from (".TP", f".B {_text(record[0])}", _text(record[1] or ""))
    if isinstance(verb, click.Group):
        for inner in verb.list_commands(context):
            command = verb.get_command(context, inner)
            assert command is not None, inner
            yield from _verb(command, context, inner)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.replace("\b", "").split("\n\n"):
        yield ".PP"
        yield _text(" ".join(paragraph.split()))


def _text(text: str) -> str:
    """Return words that roff takes as words."""
    quoted = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{quoted}" if quoted.startswith((".", "'")) else quoted
