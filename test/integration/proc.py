# SPDX-License-Identifier: ISC
"""
proc - processes as /proc shows them. Any of them may end, and close what it has open,
while it is looked at: what is gone is left out.
"""
import os


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def family(pid):
    """A process and all below it."""
    found = [pid]
    for child in children(pid):
        found += family(child)
    return found


def opened(pid):
    """The paths of what it has open."""
    folder, found = "/proc/%d/fd" % pid, []
    try:
        for name in os.listdir(folder):
            try:
                found.append(os.readlink(os.path.join(folder, name)))
            except FileNotFoundError:
                pass
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found
