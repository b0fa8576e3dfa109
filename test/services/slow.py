# SPDX-License-Identifier: ISC
"""
slow - a local server that halts in the midst of a message until the case goes on.
"""
import os

from doubles import Local
from gate import Gate

SLOW = "{lmtp: /srv/test/slow}"  # the delivery to it


def slow_server(system, where="END"):
    """It does not answer there until the gate is open; the server and its gate."""
    gate = Gate()
    path = system.shared("slow")
    local = Local(path, answers={where: lambda *_: gate.wait(120)})
    os.chmod(path, 0o666)
    return local, gate
