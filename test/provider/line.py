# SPDX-License-Identifier: ISC
"""
line - one connection of the provider, clear or under TLS.

Reads lines and replies, writes in exactly the segments it is given, and can
end in all the ways that lines end: tidily, cut, reset, or by going silent.
Everything said is noted in a Log. A reply that was not expected raises
Unexpected; the end of the peer's data raises Ended.
"""
import fcntl
import os
import re
import select
import socket
import ssl
import struct
import termios
import threading
import time

from patience import Patience

LOGGED_OCTETS = 300  # of one read or write: enough to see what it was


class Ended(Exception):
    """The peer closed or lost the connection."""


class Unexpected(Exception):
    """The peer said something else than the script expects."""


class Log:
    """What was seen, in order, for assertions and for the eye."""

    def __init__(self, path=None):
        self.entries = []
        self._lock = threading.Lock()
        self._file = open(path, "a", encoding="utf-8") if path else None
        self._start = time.monotonic()

    def note(self, who, what):
        if isinstance(what, bytes):
            shown = repr(what[:LOGGED_OCTETS])[2:-1]
            if len(what) > LOGGED_OCTETS:
                shown += "... (%d octets)" % len(what)
        else:
            shown = what
        with self._lock:
            self.entries.append("%s %s" % (who, shown))
            if self._file:
                elapsed = time.monotonic() - self._start
                self._file.write("%8.3f %s %s\n" % (elapsed, who, shown))
                self._file.flush()

    def close(self):
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None


class Reply:
    """One SMTP reply: its code, its lines without the code, and the whole."""

    def __init__(self, lines):
        self.code = int(lines[0][:3])
        self.lines = [line[4:].decode("utf-8", "replace") for line in lines]
        self.text = "\n".join(l.decode("utf-8", "replace") for l in lines)
        self.first = lines[0].decode("utf-8", "replace")

    def __repr__(self):
        return self.text

    def matches(self, expected):
        """expected: 250, or how the last line begins: "550 5.1.1"."""
        if isinstance(expected, int):
            return self.code == expected
        if len(expected) == 1:
            return self.text[0] == expected
        return re.sub(r"^(\d\d\d)-", r"\1 ", self.first).startswith(expected)


class Line:
    def __init__(self, sock, log, name="provider", timeout=60):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout)
        self.sock = sock
        self.log = log
        self.name = name
        self.timeout = timeout
        self.held = b""
        self.peer = sock.getpeername()

    @property
    def tls(self):
        return isinstance(self.sock, ssl.SSLSocket)

    def start_tls(self, context):
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.log.note("*", "%s %s" % (self.sock.version(), self.sock.cipher()[0]))

    def _is_exact(self):
        """A limit that a script has set on the socket is meant so."""
        return self.sock.gettimeout() != self.timeout

    # Reading

    def fill(self):
        patience = Patience(self.timeout)
        data = None
        while data is None:
            try:
                data = self.sock.recv(65536)
            except socket.timeout:
                if self._is_exact() or not patience.left():
                    raise Unexpected("nothing came for %s s" % (
                        self.sock.gettimeout())) from None
            except (OSError, ValueError) as why:
                raise Ended(str(why)) from None
        if not data:
            raise Ended("end of data")
        self.log.note("<", data)
        self.held += data

    def read_line(self):
        """One line, its CRLF taken off. A lone LF does not end it."""
        while b"\r\n" not in self.held:
            self.fill()
        line, self.held = self.held.split(b"\r\n", 1)
        return line

    def reply(self):
        lines = [self.read_line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.read_line())
        for line in lines:
            if not re.match(rb"[2-5]\d\d([ -]|$)", line):
                raise Unexpected("not a reply: %r" % line)
        return Reply(lines)

    def expect(self, *expected):
        """The next reply, which must be one of those; returns it."""
        got = self.reply()
        if not any(got.matches(e) for e in expected):
            raise Unexpected("expected %s, got %r" % (
                " or ".join(str(e) for e in expected), got.text))
        return got

    def command(self, text, *expected):
        """Sends one command line and expects its reply, by default any 2xx."""
        if isinstance(text, str):
            text = text.encode("utf-8")
        self.send(text + b"\r\n")
        return self.expect(*(expected or ("2",)))

    def goodbye(self):
        """QUIT and the end. Where a case stops the agent once its mail has
        arrived, that may come first: it says so, and nothing is cut short."""
        self.command("QUIT", 221, "421 4.3.2 stopped by a signal")
        self.wait_end()

    def wait_end(self, seconds=None):
        """Waits for the peer to end the connection; returns what came."""
        patience = Patience(self.timeout if seconds is None else seconds)
        while patience.left():
            self.sock.settimeout(max(0.01, patience.left()))
            try:
                self.fill()
            except Ended:
                held, self.held = self.held, b""
                return held
            except Unexpected:
                continue
        raise Unexpected("the peer keeps the connection open")

    # Writing

    def send(self, data):
        """Writes data in one piece, as far as the peer reads it."""
        self.log.note(">", data)
        patience = Patience(self.timeout)
        left = memoryview(data)
        while left:
            try:
                left = left[self.sock.send(left):]
                patience.renew()
            except socket.timeout as why:
                if self._is_exact() or not patience.left():
                    raise Ended(str(why)) from None
            except (OSError, ValueError) as why:
                raise Ended(str(why)) from None

    def raw(self, data):
        """Writes data to the socket itself, past TLS."""
        self.log.note(">!", data)
        os.write(self.sock.fileno(), data)

    def arrived(self, seconds=30):
        """Waits until the peer's kernel has all that was sent."""
        patience = Patience(seconds)
        while patience.left():
            left = fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4))
            if struct.unpack("i", left) == (0,):
                return
            time.sleep(0.001)
        raise Unexpected("the peer's kernel does not acknowledge")

    def delivered(self, seconds=30):
        """Waits until the peer's kernel has acknowledged all that was sent
        and, on this host, its process has read it."""
        patience = Patience(seconds)
        empty = 0
        while patience.left():
            # The kernel's table is no snapshot: an octet can move from our row,
            # not looked at yet, to the peer's, already passed. The second time
            # it would be in the peer's.
            empty = 0 if self._unread() else empty + 1
            if empty == 2:
                return
            time.sleep(0.001)
        raise Unexpected("the peer does not read")

    def _unread(self):
        ours = self.sock.getsockname()[1]
        theirs = self.peer[1]
        with open("/proc/net/tcp", encoding="ascii") as table:
            for row in table:
                field = row.split()
                if field[0] == "sl":
                    continue
                local = int(field[1].rsplit(":", 1)[1], 16)
                remote = int(field[2].rsplit(":", 1)[1], 16)
                sending, receiving = (int(n, 16) for n in field[4].split(":"))
                if (local, remote) == (ours, theirs) and sending:
                    return True
                if (local, remote) == (theirs, ours) and receiving:
                    return True
        return False

    # Ending

    def end_of_data(self):
        """Nothing more comes from here; what the peer says is still read.
        Under TLS without close_notify, since ssl would read on for the
        peer's own and lose what the peer says before it."""
        self.log.note("*", "end of data")
        try:
            socket.socket.shutdown(self.sock, socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        """The tidy end: close_notify under TLS, then the connection."""
        self.log.note("*", "close")
        try:
            if self.tls:
                self.sock.settimeout(0.2)  # for the peer's close_notify
                self.sock = self.sock.unwrap()
        except (OSError, ValueError):
            pass
        self._close()

    def cut(self):
        """The end without close_notify, as of a line that broke."""
        self.log.note("*", "cut")
        self._close()

    def reset(self):
        """RST: what the peer has not read yet is lost to it."""
        self.log.note("*", "reset")
        linger = struct.pack("ii", 1, 0)
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        except OSError:
            pass
        self._close()

    def stop(self):
        """From another thread: wakes the one that waits on this line."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _close(self):
        try:
            os.close(self.sock.detach())
        except OSError:
            pass


def readable(sockets, seconds):
    """Those of the sockets that have data, TLS buffers included."""
    ready = [s for s in sockets if isinstance(s, ssl.SSLSocket) and s.pending()]
    return ready or select.select(sockets, [], [], seconds)[0]
