"""Die with one's launcher. Run by path, before the real program, it becomes that program:

    python -I -S tether.py <launcher pid> <signal at the launcher's death> <uid or -> argv…

Why a program and no `preexec_fn`: that runs Python between fork and exec, which may deadlock in
a process with threads (docs.python.org/3/library/subprocess.html#subprocess.Popen).
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tie(launcher: int, signal_number: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != launcher:  # it died before the line above
            sys.exit(f"the launcher {launcher} is gone")


def main(launcher: str, signal_number: str, uid: str, *argv: str) -> None:
    if uid != "-":
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    # After setuid, which would clear it (man 2 prctl); kept by the exec below.
    tie(int(launcher), int(signal_number))
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        sys.exit(f"cannot start {argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
