# SPDX-License-Identifier: ISC
"""
network - an office behind a router with NAT, and a provider on its other side:
three network name spaces of one case. That of the provider is the case's own,
so everything that the case starts is there unless it says otherwise.
"""
import ctypes
import os
import shutil
import subprocess

from servers import Skip, until

CLONE_NEWNET = 0x40000000
LONGEST = "1800"  # seconds that a name space outlives a case that was killed

# As routers at home are: the office calls out, nobody calls in, and what
# belongs to no connection that the router knows is dropped without a word.
ROUTER = """\
table ip home {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state invalid drop
    iifname "lan" accept
    ct state established,related accept
  }
  chain input {
    type filter hook input priority 0; policy drop;
    iifname "lan" accept
  }
  chain out {
    type nat hook postrouting priority 100;
    oifname "wan" masquerade
  }
}
"""
AWAY = """\
table ip away {
  chain everything {
    type filter hook forward priority -10; policy drop;
  }
}
"""
LOSSY = """\
table ip lossy {
  chain some {
    type filter hook forward priority -10;
    numgen random mod 100 < %d drop
  }
}
"""


def run(*command, stdin=""):
    done = subprocess.run(command, input=stdin.encode(), check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise AssertionError("%s: %s" % (" ".join(command),
                                         done.stdout.decode().strip()))


def may_fail(*command):
    try:
        run(*command)
        return True
    except AssertionError:
        return False


class Network:
    PROVIDER = "203.0.113.1"

    def __init__(self, t):
        for tool in ("ip", "tc", "nft", "conntrack", "nsenter", "unshare"):
            if not shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin"):
                raise Skip("%s is not installed" % tool)
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise Skip("no network name space can be made here: %s" %
                       os.strerror(ctypes.get_errno()))
        self.t = t
        self.router, self.office = self.space(), self.space()
        run("ip", "link", "set", "lo", "up")
        self.wire(None, "out", self.PROVIDER, self.router, "wan", "203.0.113.2")
        self.wire(self.router, "lan", "192.168.7.1",
                  self.office, "eth0", "192.168.7.10")
        self.route()
        # Without this a packet in the midst of a connection makes a mapping.
        self.at_router("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward && echo"
                       " 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose")
        if not may_fail(*self.inside(self.router), "nft", "list", "ruleset"):
            raise Skip("this kernel has no nftables")
        self.rules(ROUTER)

    def space(self):
        """A name space lives as long as a process in it."""
        child = subprocess.Popen(["unshare", "--net", "sleep", LONGEST])
        self.t.at_end(child.wait)
        self.t.at_end(child.kill)
        here = os.readlink("/proc/self/ns/net")
        until(lambda: os.readlink("/proc/%d/ns/net" % child.pid) != here,
              what="a name space")
        run(*self.inside(child.pid), "ip", "link", "set", "lo", "up")
        return child.pid

    @staticmethod
    def inside(space):
        if space is None:
            return []
        return ["nsenter", "--net=/proc/%d/ns/net" % space, "--"]

    def wire(self, one, name, address, other, other_name, other_address):
        run(*self.inside(one), "ip", "link", "add", name, "type", "veth",
            "peer", "name", other_name, "netns", str(other))
        for space, device, ip in ((one, name, address),
                                  (other, other_name, other_address)):
            run(*self.inside(space), "ip", "address", "add", ip + "/24",
                "dev", device)
            run(*self.inside(space), "ip", "link", "set", device, "up")

    def route(self):
        run(*self.inside(self.office), "ip", "route", "replace", "default",
            "via", "192.168.7.1")

    def at_router(self, *command, stdin=""):
        run(*self.inside(self.router), *command, stdin=stdin)

    def rules(self, text):
        self.at_router("nft", "-f", "-", stdin=text)

    # What the agent's user has

    def command(self, *args):
        """The agent in the office."""
        return self.inside(self.office) + self.t.command(*args)

    # What happens to networks

    def forget(self):
        """The router loses its mappings, and tells nobody."""
        self.at_router("conntrack", "-F")

    def readdress(self):
        """The office's computer gets another address."""
        for what, address in (("del", "192.168.7.10"), ("add", "192.168.7.11")):
            run(*self.inside(self.office), "ip", "address", what,
                address + "/24", "dev", "eth0")
        self.route()

    def cut(self):
        """Nothing passes any more, without a word."""
        self.rules(AWAY)

    def mend(self):
        self.at_router("nft", "delete", "table", "ip", "away")

    def slow_down(self, rate):
        """Towards the office."""
        self.at_router("tc", "qdisc", "replace", "dev", "lan", "root", "tbf",
                       "rate", rate, "burst", "4kb", "latency", "400ms")

    def worsen(self, percent, delay):
        """Packets are late and lost, both ways. Where the kernel has no netem
        they are lost, and late by the queue of a slow line."""
        netem = ("netem", "delay", "%dms" % delay, "%dms" % (delay // 4),
                 "loss", "%d%%" % percent)
        if may_fail(*self.inside(self.router), "tc", "qdisc", "replace", "dev",
                    "lan", "root", *netem):
            self.at_router("tc", "qdisc", "replace", "dev", "wan", "root", *netem)
            return
        self.rules(LOSSY % percent)
        self.slow_down("2mbit")
