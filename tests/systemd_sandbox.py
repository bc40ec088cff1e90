"""Runs a command the way the shipped units confine it: only the listed system calls, no writable executable memory.

python tests/systemd_sandbox.py FILE COMMAND...    FILE names the allowed system calls, one a line
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

ALLOW = 0x7FFF0000  # SCMP_ACT_ALLOW
REFUSE = 0x00050000 | errno.EPERM  # SCMP_ACT_ERRNO(EPERM), as SystemCallErrorNumber=EPERM
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1  # Linux 6.3; older kernels say EINVAL and are left without it
UNUSABLE = 125


def confine(allowed: list[str]) -> None:
    """Confine this process and whatever it becomes."""
    ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0)
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    lib.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
    lib.seccomp_load.argtypes = [ctypes.c_void_p]
    context = lib.seccomp_init(REFUSE)
    for name in allowed:
        number = lib.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # below: a call that this architecture does not have
            lib.seccomp_rule_add(context, ALLOW, number, 0)
    if lib.seccomp_load(context) != 0:
        raise OSError("the kernel takes no filter")


if __name__ == "__main__":
    try:
        confine(Path(sys.argv[1]).read_text(encoding="ascii").split())
    except (OSError, AttributeError) as exc:
        print(f"no sandbox here: {exc}", file=sys.stderr)
        sys.exit(UNUSABLE)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  # the test names the command
