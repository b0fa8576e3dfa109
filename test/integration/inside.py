# SPDX-License-Identifier: ISC
"""
inside - a system in name spaces of its own, seen from outside by its first process.
"""
import os


def first_child(pid, name):
    """The child of unshare, once it has become that program; else None. Either
    may end while it is looked at."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
            children = file.read().split()
        if not children:
            return None
        with open("/proc/%s/comm" % children[0], encoding="ascii") as file:
            return children[0] if file.read().strip() == name else None
    except (FileNotFoundError, ProcessLookupError):
        return None


class Inside:
    """init: the number of its first process, as text."""

    init = None

    def path(self, path):
        """A file of the system, as we can open it."""
        return "/proc/%s/root%s" % (self.init, path)

    def write(self, path, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(path), mode)
