"""Somebody typing at a terminal: a real process on a pseudo-terminal, which shows what it echoes."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

PATIENCE_S, TURNS = 60.0, 6000
LOCAL_FLAGS = 3  # of what tcgetattr returns


@dataclass(frozen=True)
class Typed:
    """What stood on the screen at the end, and how the process ended."""

    code: int
    screen: str


def typed(
    environ: Mapping[str, str], words: Sequence[str], answers: Sequence[tuple[str, str]], hidden: Collection[str] = ()
) -> Typed:
    """Run a verb on a terminal of its own; type each answer once its question stands on the screen."""
    ours, theirs = pty.openpty()
    try:
        command = [sys.executable, "-m", "rebalancer", *words]
        with subprocess.Popen(command, env=dict(environ), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:  # fmt: skip
            os.close(theirs)
            screen, seen = "", 0
            for question, answer in answers:
                while question not in screen[seen:]:
                    more = _read(ours)
                    assert more, f"{question!r} was never asked; the screen: {screen}"
                    screen += more
                seen = screen.index(question, seen) + len(question)
                if question in hidden:
                    _wait_for_no_echo(ours)
                os.write(ours, answer.encode() + b"\n")
            while more := _read(ours):
                screen += more
            return Typed(process.wait(PATIENCE_S), screen.replace("\r\n", "\n"))
    finally:
        os.close(ours)


def _read(handle: int) -> str:
    ready, _, _ = select.select([handle], [], [], PATIENCE_S)
    if not ready:
        return ""
    try:
        return os.read(handle, 65536).decode(errors="replace")
    except OSError:  # the other end was closed
        return ""


def _wait_for_no_echo(handle: int) -> None:
    """Wait until what is typed will not be shown: the program asks first, then turns the echo off."""
    for _ in range(TURNS):
        if not termios.tcgetattr(handle)[LOCAL_FLAGS] & termios.ECHO:
            return
        select.select([], [], [], PATIENCE_S / TURNS)
    raise AssertionError("the terminal still shows what is typed")
