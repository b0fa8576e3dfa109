# SPDX-License-Identifier: ISC
"""
clock - another wall clock for the agent (clock.c), and C helpers of tests.
"""
import os
import shutil
import subprocess

from stage import Skip

HERE = os.path.dirname(os.path.abspath(__file__))


def compile_c(t, source, name, *options):
    if not shutil.which("cc"):
        raise Skip("no compiler")
    subprocess.run(["cc", "-o", t.path(name), source] + list(options), check=True)


def sanitized(t):
    with open(t.binary, "rb") as file:
        return b"__asan_init" in file.read()


def wall_clock(t, ahead):
    """The environment of a machine whose clock is so many seconds ahead."""
    if sanitized(t):
        raise Skip("a sanitizer wants to be the first library")
    if not os.path.exists(t.path("clock.so")):
        compile_c(t, os.path.join(HERE, "clock.c"), "clock.so", "-shared",
                  "-fPIC", "-D_GNU_SOURCE")
    return {"LD_PRELOAD": t.path("clock.so"), "ODMR_TEST_CLOCK": str(ahead),
            "TZ": "UTC"}


def standing_clock(t):
    """The environment of a machine that does all its work in no time."""
    return dict(wall_clock(t, 0), ODMR_TEST_CLOCK_STANDS="yes")
