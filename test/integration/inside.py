# SPDX-License-Identifier: ISC
"""
inside - a system in name spaces of its own, seen from outside by its first process.
"""
import os

from proc import children


def first_child(pid, name):
    """The child of unshare, as text, once it has become that program; else None."""
    for child in children(pid):
        try:
            with open("/proc/%d/comm" % child, encoding="ascii") as file:
                return str(child) if file.read().strip() == name else None
        except (FileNotFoundError, ProcessLookupError):
            return None
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
