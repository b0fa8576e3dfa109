# SPDX-License-Identifier: ISC
"""
path - a path of any length between the agent and a provider, without a clock.

What either side says arrives half a round trip later, and that passes when the
agent is asleep and has said all it has to say: so trips are counted, not timed, and
the count is the same on every machine. TCP has its handshake, and a window that is
never full. The local side, an LMTP server, is beside the agent and answers at once.
"""
import heapq
import itertools
import os
import select
import socket
import ssl
import time

from world import PATIENCE, Failed, Lmtp

LOOK = 0.001  # seconds between two looks at processes that may be busy
# Halves of a round trip from SYN until the agent may speak; the far end knows of the
# connection another half later.
HANDSHAKE = 2


def tasks_below(pid):
    """State and switches of each thread of a process and of its children."""
    found = {}
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        for task in tasks:
            place = f"/proc/{pid}/task/{task}/"
            with open(place + "status", encoding="latin-1") as f:
                said = dict(line.rstrip("\n").split(":\t", 1)
                            for line in f if ":\t" in line)
            found[task] = (said["State"][:1], said["voluntary_ctxt_switches"],
                           said["nonvoluntary_ctxt_switches"])
            with open(place + "children", encoding="ascii") as f:
                children = f.read().split()
            for child in children:
                found.update(tasks_below(child))
    except (FileNotFoundError, ProcessLookupError):
        return {pid: ("R", "it ends", "")}
    return found


def asleep(pid):
    """Waits until all of them sleep. A process that is woken is not asleep from
    that moment on, and one that slept in between has another count of switches."""
    end = time.monotonic() + PATIENCE
    before = None
    while time.monotonic() < end:
        now = tasks_below(pid)
        states = {state for state, *_ in now.values()}
        if states <= {"S", "Z"} and now == before:
            return
        before = now
        time.sleep(LOOK)
    raise Failed("the agent never waits")


class Call:
    """One call of the agent: its socket, and the far end, a generator. It is sent
    octets, and yields what it says to them and, where TLS begins after that, the
    context. What it returns is said, and then it closes."""

    def __init__(self, sock, far, begun, implicit):
        self.sock = sock
        self.far = far
        self.begun = begun  # in halves, as all times here
        self.over = None  # when the far end closed
        self.gone = False  # the agent has closed
        self.implicit = implicit
        self.secured = None
        self.shaken = False
        if implicit is not None:
            self.start_tls(implicit)

    def start_tls(self, context):
        self.coming, self.going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.secured = context.wrap_bio(self.coming, self.going, server_side=True)

    def on_wire(self, said):
        if self.secured is None:
            return said
        if said:
            self.secured.write(said)
        return self.going.read()

    def open(self):
        """The connection is there."""
        return b"" if self.implicit else self.turn(None)

    def hear(self, data):
        """What goes over the wire in answer; data is empty at the agent's end."""
        if not data or self.secured is None:
            return self.turn(data)
        self.coming.write(data)
        said = b""
        if not self.shaken:
            if not self.shake():
                return self.going.read()
            if self.implicit:
                said = self.turn(None)
        data = self.decrypted()
        return said + (self.turn(data) if data else self.going.read())

    def shake(self):
        try:
            self.secured.do_handshake()
            self.shaken = True
        except ssl.SSLWantReadError:
            pass
        return self.shaken

    def decrypted(self):
        data = b""
        try:
            # Empty: the agent has said that it says no more.
            while more := self.secured.read(1 << 16):
                data += more
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return data

    def turn(self, data):
        context = None
        try:
            said, context = self.far.send(data)
        except StopIteration as end:
            said, self.over = end.value or b"", True
        said = self.on_wire(said)
        if context is not None:
            self.start_tls(context)
        return said


class Path:
    """far(path) makes the far end of each call; implicit is the context of TLS from
    the start, or None."""

    def __init__(self, folder, far, implicit=None):
        self.far = far
        self.implicit = implicit
        self.now = 0
        self.calls = []
        self.events = []  # a heap: when, number, what to do
        self.numbers = itertools.count()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.local_listener = socket.socket(socket.AF_UNIX)
        self.local_listener.bind(os.path.join(folder, "lmtp"))
        self.local_listener.listen(4)
        self.port = self.listener.getsockname()[1]
        self.locals = {}

    def close(self):
        for each in (*self.sockets(), *(call.sock for call in self.calls)):
            each.close()

    def sockets(self):
        return [self.listener, self.local_listener, *self.locals,
                *(call.sock for call in self.calls if not call.gone)]

    def at(self, when, action):
        heapq.heappush(self.events, (when, next(self.numbers), action))

    def play(self, process):
        """Until the process ends."""
        end = time.monotonic() + PATIENCE
        while process.poll() is None:
            if self.hear_agent():
                end = time.monotonic() + PATIENCE
            elif self.events:
                asleep(process.pid)
                if not self.hear_agent():
                    self.tick()
            elif time.monotonic() > end:
                process.kill()
                raise Failed(f"nothing happened for {PATIENCE} seconds")
            else:
                select.select(self.sockets(), [], [], 0.02)

    def tick(self):
        """Everything that is on its way for as long arrives."""
        self.now = self.events[0][0]
        while self.events and self.events[0][0] == self.now:
            heapq.heappop(self.events)[2]()

    def hear_agent(self):
        """What it has done since; false: nothing."""
        readable = select.select(self.sockets(), [], [], 0)[0]
        for sock in readable:
            if sock is self.listener:
                self.accept()
            elif sock is self.local_listener:
                local = sock.accept()[0]
                self.locals[local] = Lmtp()
                local.sendall(self.locals[local].greeting())
            elif sock in self.locals:
                self.hear_local(sock)
            else:
                self.hear_call(next(c for c in self.calls if c.sock is sock))
        return bool(readable)

    def accept(self):
        sock = self.listener.accept()[0]
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far = self.far(self)
        call = Call(sock, far, self.now, self.implicit)
        self.calls.append(call)
        self.at(self.now + HANDSHAKE + 1, lambda: self.answer(call, call.open))

    def hear_local(self, sock):
        data = receive(sock)
        if data:
            sock.sendall(self.locals[sock].take(data))
        else:
            sock.close()
            del self.locals[sock]

    def hear_call(self, call):
        data = receive(call.sock)
        # The far end knows of it, and closes, no sooner than of what was said.
        call.gone = not data
        sent = max(self.now, call.begun + HANDSHAKE)
        self.at(sent + 1, lambda: self.answer(call, call.hear, data))

    def answer(self, call, method, *octets):
        if call.over is not None:
            return
        said = method(*octets)
        if call.over:
            call.over = self.now
        self.at(self.now + 1, lambda: self.deliver(call, said))

    def deliver(self, call, said):
        """To the agent, if it is still there."""
        try:
            call.sock.sendall(said)
            if call.over is not None:
                call.sock.shutdown(socket.SHUT_WR)
        except OSError:
            if not call.gone:
                raise


class Wire(Path):
    """The same over a real path, which takes trip seconds there and back: what is
    said is sent at once, and the clock is the machine's. It runs from the start of
    the program, whose start-up is counted with the first call."""

    def __init__(self, folder, far, implicit, trip):
        super().__init__(folder, far, implicit)
        self.half = trip / 2
        self.start = None

    def play(self, process):
        self.start = time.monotonic()
        super().play(process)

    def hear_agent(self):
        self.now = (time.monotonic() - self.start) / self.half
        return super().hear_agent()

    def at(self, _when, action):
        action()

    def accept(self):
        super().accept()
        # The last of three packets is what accept() waits for.
        self.calls[-1].begun -= HANDSHAKE + 1 if self.calls[1:] else self.now


def receive(sock):
    try:
        return sock.recv(1 << 20)
    except ConnectionError:
        return b""
