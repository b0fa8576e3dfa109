# SPDX-License-Identifier: ISC
"""
Both sides of a session, played by one thread: the provider that turns the
connection, and the local LMTP server. Nobody says anything before the agent is
asleep, so that what it does for a message never depends on who is faster: each
wait is a wait.
"""
import os
import select
import socket
import ssl
import time

PATIENCE = 240  # seconds without a word: a machine may be slow, not that slow
PIECE = 65536
LOOK = 0.0002  # seconds between two looks at a process that is still busy

MAIL = b"MAIL FROM:<bench@example.net>\r\n"
RCPT = b"RCPT TO:<user@example.org>\r\n"
HEAD = (b"From: bench@example.net\r\nMessage-ID: <%08d@example.net>\r\n"
        b"Subject: bench\r\n\r\n")
LINE = (b"The quick brown fox jumps over the lazy dog, again and again, as "
        b"mail does.\r\n")


class Failed(Exception):
    pass


def text_of(number, octets):
    """A message of exactly so many octets, ended by CRLF."""
    text = HEAD % number
    lines = LINE * ((octets - len(text)) // len(LINE) + 1)
    return (text + lines)[:octets - 2] + b"\r\n"


def streamed(count, octets):
    """The next envelope goes behind each text (RFC 2920 3.1)."""
    group = MAIL + RCPT + b"DATA\r\n"
    yield group, 3
    for number in range(count - 1):
        yield text_of(number, octets) + b".\r\n" + group, 4
    yield text_of(count - 1, octets) + b".\r\n", 1


def messages(mode, count, octets):
    """What the provider says for its messages, each with the number of replies
    that it then waits for."""
    if mode == "streamed":
        yield from streamed(count, octets)
        return
    for number in range(count):
        text = text_of(number, octets)
        if mode == "bdat":
            yield (MAIL + RCPT + b"BDAT %d LAST\r\n" % octets + text, 3)
            continue
        if mode == "lockstep":
            yield MAIL, 1
            yield RCPT, 1
            yield b"DATA\r\n", 1
        else:
            yield MAIL + RCPT + b"DATA\r\n", 3
        yield text + b".\r\n", 1


def parts(data):
    """Commands and the octets of a BDAT are two records, mostly."""
    at = data.find(b" LAST\r\n")
    end = at + len(b" LAST\r\n") if at >= 0 else 0
    return [part for part in (data[:end], data[end:]) if part]


class Provider:
    """Logs in whoever comes, and turns the connection once."""

    def __init__(self, mode, count, octets):
        self.script = messages(mode, count, octets)
        self.wanted = None  # replies; None: the connection is not turned
        self.buffer = b""
        self.challenged = self.greeted = self.ended = False

    def greeting(self):
        return b"220 bench.example.net ODMR\r\n"

    def take(self, data):
        """What there is to say after these octets of the agent."""
        self.buffer += data
        answer = b""
        while b"\r\n" in self.buffer:
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            answer += (self.customer(line) if self.wanted is None
                       else self.reply(line))
        return answer

    def customer(self, line):
        if self.challenged:
            self.challenged = False
            return b"235 2.7.0 welcome\r\n"
        verb = line.upper().split()[0]
        if verb == b"EHLO":
            return (b"250-bench.example.net\r\n250-AUTH CRAM-MD5\r\n"
                    b"250 ATRN\r\n")
        if verb == b"AUTH":
            self.challenged = True
            return b"334 PDFAYmVuY2guZXhhbXBsZS5uZXQ+\r\n"
        if verb == b"ATRN":
            self.wanted = 1
            return b"250 turning\r\n"
        if verb == b"QUIT":
            self.ended = True
            return b"221 bye\r\n"
        return b"502 not here\r\n"

    def reply(self, line):
        if line[:1] not in b"23":
            raise Failed("the agent said " + line.decode("ascii", "replace"))
        if line[3:4] == b"-":
            return b""
        self.wanted -= 1
        if self.wanted > 0:
            return b""
        if self.ended:
            return b""
        if not self.greeted:
            self.greeted = True
            said, self.wanted = b"EHLO bench.example.net\r\n", 1
        else:
            said, self.wanted = next(self.script, (b"QUIT\r\n", 1))
            self.ended = said == b"QUIT\r\n"
        return said


class Secured:
    """A side of the dialogue under TLS 1.3. What it says in one go goes out in the
    records that `parts` makes of it."""

    def __init__(self, side, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(certificate, key)
        self.side = side
        self.heard, self.said = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.heard, self.said, server_side=True)
        self.shaken = False

    def greeting(self):
        return b""  # the client begins

    def say(self, data):
        for part in parts(data):
            self.tls.write(part)

    def take(self, data):
        self.heard.write(data)
        try:
            if not self.shaken:
                self.tls.do_handshake()
                self.shaken = True
                self.say(self.side.greeting())
            while said := self.tls.read(PIECE):
                self.say(self.side.take(said))
        except ssl.SSLWantReadError:
            pass
        return self.said.read()


class Lmtp:
    """Takes everything; its replies to a group go out together."""

    def __init__(self):
        self.buffer = b""
        self.in_text = False

    def greeting(self):
        return b"220 local LMTP\r\n"

    def take(self, data):
        self.buffer += data
        answer = b""
        while True:
            end = b"\r\n.\r\n" if self.in_text else b"\r\n"
            at = self.buffer.find(end)
            if at < 0:
                # Of a long text only what may be the beginning of its end.
                if self.in_text:
                    self.buffer = self.buffer[-len(end):]
                return answer
            line = self.buffer[:at]
            self.buffer = self.buffer[at + len(end):]
            answer += self.text() if self.in_text else self.command(line)

    def text(self):
        self.in_text = False
        return b"250 2.0.0 taken\r\n"

    def command(self, line):
        verb = line.upper().split()[0]
        if verb == b"LHLO":
            return (b"250-local\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
                    b"250 ENHANCEDSTATUSCODES\r\n")
        if verb == b"DATA":
            self.in_text = True
            return b"354 go on\r\n"
        if verb == b"QUIT":
            return b"221 2.0.0 bye\r\n"
        return b"250 2.1.0 ok\r\n"


def stat_of(pid):
    """State and parent of a process, or None where it has gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
            rest = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return rest[0], int(rest[1])


def youngest(pid):
    """The last one in the line of children: strace or valgrind, the agent, the
    process of its session."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = stat_of(name)
            if found is not None:
                children.setdefault(found[1], []).append(int(name))
    while children.get(pid):
        pid = max(children[pid])
    return pid


class World:
    """One session; command_for(port, socket path) starts the agent."""

    def __init__(self, folder, mode, count, octets, identity=None):
        self.provider = Provider(mode, count, octets)
        # As the socket has it: with a certificate and its key, under TLS.
        self.upstream = (Secured(self.provider, *identity) if identity
                         else self.provider)
        self.path = os.path.join(folder, "lmtp")
        self.listeners = [socket.socket(), socket.socket(socket.AF_UNIX)]
        self.listeners[0].bind(("127.0.0.1", 0))
        self.listeners[1].bind(self.path)
        self.port = self.listeners[0].getsockname()[1]
        for each in self.listeners:
            each.listen(1)
        self.peers = {}  # socket: who speaks there
        self.out = {}  # socket: what he has to say
        self.session = None

    def close(self):
        for each in self.listeners + list(self.peers):
            each.close()
        os.unlink(self.path)

    def play(self, process):
        """Until the process ends."""
        last = time.monotonic()
        while process.poll() is None:
            if self.step(process.pid):
                last = time.monotonic()
            elif time.monotonic() - last > PATIENCE:
                process.kill()
                raise Failed(f"nothing happened for {PATIENCE} seconds")

    def step(self, pid):
        writers = [each for each, out in self.out.items() if out]
        readable, writable, _ = select.select(
            self.listeners + list(self.peers), writers, [], 0.05)
        for each in readable:
            if each in self.listeners:
                self.accept(each)
        if any(each in self.peers for each in readable):
            self.read_all()
            self.await_sleep(pid)
            self.read_all()
        for each in writable:
            if each in self.out:
                sent = each.send(self.out[each][:PIECE])
                self.out[each] = self.out[each][sent:]
        return readable or writable

    def accept(self, listener):
        peer, _ = listener.accept()
        peer.setblocking(False)
        if listener.family == socket.AF_INET:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.peers[peer] = self.upstream
        else:
            self.peers[peer] = Lmtp()
        self.out[peer] = self.peers[peer].greeting()

    def read_all(self):
        for peer in list(self.peers):
            try:
                data = peer.recv(1 << 20)
            except BlockingIOError:
                continue
            except ConnectionError:
                data = b""
            if data:
                self.out[peer] += self.peers[peer].take(data)
            if not data or (self.peers[peer] is self.upstream and
                            self.provider.ended and
                            self.provider.wanted == 0):
                peer.close()
                del self.peers[peer], self.out[peer]

    def await_sleep(self, pid):
        """A process that waits for nothing but descriptors is in state S; one
        that waits for a disk is in D, one that strace holds in t."""
        if self.session is None and self.provider.greeted:
            self.session = youngest(pid)
        if self.session is None:
            return
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = stat_of(self.session)
            if found is None or found[0] in "SZX":
                return
            time.sleep(LOOK)
        raise Failed("the agent never waits")
