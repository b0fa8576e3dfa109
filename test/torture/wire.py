# SPDX-License-Identifier: ISC
"""
wire - the provider's end of one connection, which breaks where it is told to.

Every octet is counted, TLS records included: a Break names the side (octets
sent or received), the count at which the line breaks, and the way it does.
What the provider had received by then it has read; nothing comes after it.
"""
import socket
import ssl
import struct

from patience import Patience

FIN, RST, SILENCE = "fin", "rst", "silence"
SENT, RECEIVED = "sent", "received"
PATIENCE = 30  # seconds that the agent may leave us without an octet


class Broken(Exception):
    """The line is no more: cut by us, or ended by the agent."""


class Slow(Exception):
    """The agent said nothing for longer than any limit of its own."""


class Break:
    def __init__(self, side, at, way):
        self.side = side
        self.at = at
        self.way = way

    def __str__(self):
        return "%s after octet %d %s" % (self.way, self.at, self.side)


class Wire:
    def __init__(self, sock, breaks=None):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(PATIENCE)
        self.sock = sock
        self.count = {SENT: 0, RECEIVED: 0}
        self.breaks = breaks
        self.broken = False
        self.held = b""
        self.tls = None
        self._break_if_due()

    # The octets themselves

    def _left(self, side):
        """How many octets this side has left, None: no end."""
        if self.breaks is None or self.breaks.side != side:
            return None
        return self.breaks.at - self.count[side]

    def _recv(self, most):
        patience = Patience(PATIENCE)
        while True:
            try:
                return self.sock.recv(most)
            except socket.timeout:
                if not patience.left():
                    raise

    def _break_if_due(self):
        if self.breaks is not None and self._left(self.breaks.side) <= 0:
            self._break(self.breaks.way)

    def _break(self, way):
        self.broken = True
        if way == RST:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
            self.sock.close()
            return
        try:
            if way == FIN:
                self.sock.shutdown(socket.SHUT_WR)
            while self._recv(65536):  # which nobody reads
                pass
        except socket.timeout:
            raise Slow("it holds a line that broke") from None
        except OSError:
            pass
        self.sock.close()

    def _send(self, data):
        left = self._left(SENT)
        data = data if left is None else data[:left]
        try:
            self.sock.sendall(data)
        except OSError as why:
            raise Broken(str(why)) from None
        self.count[SENT] += len(data)
        self._break_if_due()

    def _receive(self):
        left = self._left(RECEIVED)
        try:
            data = self._recv(65536 if left is None else left)
        except socket.timeout:
            raise Slow("nothing came") from None
        except OSError as why:
            raise Broken(str(why)) from None
        if not data:
            raise Broken("the agent ended the line")
        self.count[RECEIVED] += len(data)
        self._break_if_due()
        return data

    # What they carry

    def start_tls(self, context):
        self._from, self._to = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._from, self._to, server_side=True)
        self._pump(self.tls.do_handshake)

    def _pump(self, step):
        """One step of TLS, with the octets that it asks for."""
        while True:
            try:
                done = step()
                self._flush()
                return done
            except ssl.SSLWantReadError:
                self._flush()
                if self.broken:
                    raise Broken("cut") from None
                self._from.write(self._receive())
            except ssl.SSLError as why:
                raise Broken(str(why)) from None

    def _flush(self):
        if self._to.pending and not self.broken:
            self._send(self._to.read())

    def send(self, data):
        """One write of the provider's."""
        if self.broken:
            raise Broken("cut")
        if self.tls:
            self.tls.write(data)
            self._flush()
        else:
            self._send(data)

    def fill(self):
        if self.tls:
            data = self._pump(lambda: self.tls.read(65536))
            if not data:
                raise Broken("the agent ended TLS")
        else:
            if self.broken:
                raise Broken("cut")
            data = self._receive()
        self.held += data

    def line(self):
        while b"\r\n" not in self.held:
            self.fill()
        line, self.held = self.held.split(b"\r\n", 1)
        return line

    def reply(self):
        """The code of the next reply, whole with all its lines."""
        line = self.line()
        while line[3:4] == b"-":
            line = self.line()
        return int(line[:3])

    def until_end(self):
        """Reads until the agent has ended the line."""
        try:
            while True:
                self.fill()
        except Broken:
            pass

    def close(self):
        if not self.broken:
            self.broken = True
            self.sock.close()
