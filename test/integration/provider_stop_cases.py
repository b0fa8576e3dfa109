# SPDX-License-Identifier: ISC
"""
odmr-provider is stopped or restarted while mail is on its way. Customers are such
as remember nothing of a connection that broke: what they have accepted and Postfix
does not know comes to them a second time.
"""
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time

import dovecot_config
import mail
from doubles import Local, Transactions
from patience import slowest
from provider_cases import USER, listening
from provider_host import Customer, ProviderHost
from servers import Process, Skip, ended, listens, until
from stage import PASSWORD, rows, waits


class Office(Local):
    """A customer who calls over and over; his MTA has the turned connection."""

    def __init__(self, t, host, **options):
        super().__init__(lmtp=False, **options)
        self.host = host
        self.ends = []  # of turned connections, as they came
        self.over = False
        self.thread = threading.Thread(target=self.call, daemon=True)
        self.thread.start()
        t.at_end(self.leave)

    def call(self):
        while not self.over:
            try:
                self.session()
            except (OSError, AssertionError):
                time.sleep(0.05)  # it is away; as an agent's retry

    def session(self):
        customer = Customer(self.host.port)
        try:
            customer.login()
            customer.ask("ATRN", 250)
            customer.socket.suppress_ragged_eofs = False
            customer.socket.settimeout(600)
            self.turned(customer.socket)
        finally:
            customer.close()

    def turned(self, sock):
        end = "in order"
        try:
            Transactions(self, sock).run()
        except ssl.SSLError as why:
            end = "cut: %s" % why
        except OSError as why:
            end = "reset: %s" % why
        self.ends.append(end)

    def leave(self):
        self.over = True
        self.close()

    def came(self):
        return [mail.stored(text) for _, _, text in self.messages]


def is_stopping(host):
    """It was told to, and has begun: nobody comes in, nor stays who was about to."""
    try:
        host.customer().close()
        return False
    except (ConnectionRefusedError, ConnectionResetError):
        return True


def stop_within(host):
    """For an answer: SIGTERM comes, and is acted upon, before it is given."""
    def answer(_server, _argument):
        host.child.send_signal(signal.SIGTERM)
        until(lambda: is_stopping(host), what="the stop")
        return None
    return answer


def restart(host):
    assert ended(host.child, 60) == 0, host.log()
    host.start()


def queue_up(host, count, lines=3):
    texts = [mail.message("number %d" % n, b"A line.\r\n" * lines)
             for n in range(count)]
    for text in texts:
        host.send([USER], text)
    host.postfix.keeps(count)
    return texts


def assert_done(host, office, texts):
    host.postfix.emptied(120)
    office.over = True
    wrong = mail.same(office.came(), texts)
    assert wrong is None, (wrong, host.log())
    assert "status=bounced" not in host.postfix.log()


@rows(*((verb.lower(), verb) for verb in
        ("GREETING", "RCPT", "DATA", "BODY", "END")))
def test_a_restart_in_the_midst_of_mail(t, verb):
    """Wherever it comes: each message is accepted once and none is lost, the customer
    sees an end in order, and Postfix has his answer."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60))
    texts = queue_up(host, 4)
    office = Office(t, host, answers={verb: [stop_within(host)]})
    until(lambda: not office.answers[verb], 60, verb)
    restart(host)
    assert_done(host, office, texts)
    assert set(office.ends) == {"in order"}, office.ends
    assert "this program is being stopped" in host.log()


def test_restarts_in_the_midst_of_many_messages(t):
    """Between any two of them the new program goes on."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60))
    texts = queue_up(host, 40)
    stops = [None] * 3 + [stop_within(host)]
    office = Office(t, host, answers={"END": stops * 4})
    for _ in range(4):
        before = host.child
        until(lambda: before.poll() is not None,  # noqa: B023
              120, "a stop: " + host.log())
        restart(host)
    assert_done(host, office, texts)
    assert set(office.ends) == {"in order"}, office.ends


def test_a_reply_that_comes_late(t):
    """Seconds after the stop, in two lines and in pieces."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60))
    texts = queue_up(host, 1)
    go_on = threading.Event()

    def slowly(_server, _argument):
        stop_within(host)(None, None)
        go_on.wait(120)
        return "250-2.0.0 It took\r\n250 2.0.0 its time"
    office = Office(t, host, answers={"END": [slowly]})
    until(lambda: host.child.poll() is None and is_stopping(host), 60, "the stop")
    begun = time.monotonic()
    until(lambda: time.monotonic() > begun + 5, what="five seconds")
    assert host.child.poll() is None, host.log()
    until(lambda: host.states() == ["turned"], what="the status to say so")
    go_on.set()
    restart(host)
    assert_done(host, office, texts)
    host.postfix.logged("its time")


def test_the_gate_is_killed(t):
    """The process of the connection goes on until the reply is there."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60))
    texts = queue_up(host, 2)
    killed = threading.Event()

    def kill(_server, _argument):
        host.child.kill()
        host.child.wait()
        killed.set()
    office = Office(t, host, answers={"END": [kill]})
    until(killed.is_set, 60, "a message")
    host.logged("turn-end", "this program is being stopped")
    host.start()
    assert_done(host, office, texts)


@waits
def test_a_customer_that_hangs_does_not_hold_up_a_stop(t):
    """He has a minute. What he has accepted without a word may come again."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60))
    texts = queue_up(host, 1)
    stops = []

    def hang(_server, _argument):
        child = host.child
        stops.append(time.monotonic())
        stop_within(host)(None, None)
        until(lambda: child.poll() is not None, 120, "the end")
    office = Office(t, host, answers={"END": [hang]})
    until(lambda: stops, 60, "a message")
    assert ended(host.child, 120) == 0
    assert time.monotonic() - stops[0] > 30, "it did not wait for the reply"
    host.logged("turn-end", "did not reply in the time a stop leaves")
    host.start()
    host.postfix.emptied()
    assert mail.same(office.came(), texts * 2) is None


def test_held_customers_and_a_stop(t):
    """They hear 421 at once, also while another one's mail is waited for; their mail
    waits at Postfix until they have called the new program."""
    host = ProviderHost(t, accounts={"office": ["example.org"],
                                     "shop": ["shop.example"]})
    held = host.customer()
    held.login("shop")
    held.say("ATRN")
    host.held("shop")
    go_on = threading.Event()

    def slowly(_server, _argument):
        stop_within(host)(None, None)
        go_on.wait(120)
    texts = [mail.message("for the office"), mail.message("for the shop")]
    office = Office(t, host, answers={"END": [slowly]})
    host.send([USER], texts[0])
    assert held.reply()[-1].startswith("421 4.3.2 "), "a held customer was told"
    assert held.receive() == b""
    held.close()
    assert not go_on.is_set() and host.child.poll() is None
    host.send(["anna@shop.example"], texts[1])
    host.postfix.keeps()
    go_on.set()
    restart(host)
    again = host.customer()
    again.login("shop")
    again.ask("ATRN", 250)
    shop = Local(lmtp=False)
    t.at_end(shop.close)
    Transactions(shop, again.socket).run()
    again.close()
    assert mail.same([mail.stored(m[2]) for m in shop.messages], texts[1:]) is None
    assert_done(host, office, texts[:1])


def test_a_stop_at_the_moment_when_postfix_is_to_be_asked_again(t):
    """It is no end of the hold: nobody hears "no mail" for it, and so stays away until
    his next call is due."""
    host = ProviderHost(t)
    customer = host.customer()
    customer.login()
    customer.say("ATRN")
    desk = host.held()
    # The condition is the time itself: Postfix was asked after half a second, and is
    # to be asked again after two, when its process cannot go on.
    time.sleep(1)
    os.kill(desk, signal.SIGSTOP)
    time.sleep(2)
    host.child.send_signal(signal.SIGTERM)
    until(lambda: is_stopping(host), what="the stop")
    os.kill(desk, signal.SIGCONT)
    assert customer.reply()[-1].startswith("421 4.3.2 "), "the customer was told"
    customer.close()


def test_an_idle_provider_ends_at_once(t):
    """A second SIGTERM changes nothing."""
    host = ProviderHost(t)
    service = listening(t, host)
    begun = time.monotonic()
    for _ in range(2):
        host.child.send_signal(signal.SIGTERM)
    assert ended(host.child, 60) == 0
    assert time.monotonic() - begun < 30 * slowest(), host.log()
    host.start()
    text = mail.message("pushed by the new program")
    host.held()
    host.send([USER], text)
    until(lambda: t.mail(USER), 60, "the message")
    service.stop()


def over_restarts(host, fetch, times):
    """Fetches until the queue is empty, while the program stops so often, and is
    started again."""
    calls = threading.Thread(target=fetch, daemon=True)
    calls.start()
    for _ in range(times):
        before = host.child
        until(lambda: before.poll() is not None,  # noqa: B023
              120, "a stop: " + host.log())
        restart(host)
    until(lambda: not calls.is_alive(), 120, "an empty queue")


def test_restarts_while_the_agent_has_many_messages(t):
    """What Postfix was told is all there is to know: without its ledger the agent
    would have nothing twice."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60))
    texts = queue_up(host, 30)
    stops = [None] * 4 + [stop_within(host)]
    local = t.local(answers={"END": stops * 3})
    t.configure(deliver={"lmtp": local.address},
                accounts={"office": host.account()})

    def fetch():
        while host.postfix.queue() or host.child.poll() is not None:
            # A ledger that is empty again, as another program has none.
            shutil.rmtree(t.path("state", "ledger"), ignore_errors=True)
            t.run("fetch", "office")
    over_restarts(host, fetch, 3)
    came = [mail.stored(text) for _, _, text in local.messages]
    assert mail.same(came, texts) is None


def cram_md5(t):
    """Dovecot's auth service with the one mechanism that fetchmail has for ODMR; its
    socket."""
    binary = shutil.which("dovecot", path="/usr/sbin:/usr/bin")
    if not binary:
        raise Skip("dovecot is not installed")
    path = os.path.join(t.sub("auth"), "client")
    hashed = subprocess.run(["doveadm", "pw", "-s", "CRAM-MD5", "-p", PASSWORD],
                            stdout=subprocess.PIPE, check=True).stdout.decode()
    t.write("auth/users", "office:" + hashed, 0o644)
    config = t.write("auth/dovecot.conf", dovecot_config.auth(
        binary, mechanisms="plain cram-md5", folder=t.path("auth")))
    server = Process([binary, "-F", "-c", config], t.path("auth", "out"))
    t.at_end(server.end)
    until(lambda: listens(path), what="Dovecot's auth service")
    return path


# fetchmail wants a full name of its host, and asks the resolver for it where the
# name has no dot.
NAMED = ["unshare", "--uts", "sh", "-c", 'hostname office.example.org && exec "$@"', "sh"]


def fetchmail_command():
    fetchmail = shutil.which("fetchmail")
    if not fetchmail:
        raise Skip("fetchmail is not installed")
    if subprocess.run(NAMED + ["true"], stderr=subprocess.DEVNULL,
                      check=False).returncode != 0:
        raise Skip("the host cannot be given another name for fetchmail")
    return NAMED + [fetchmail]


def test_restarts_while_fetchmail_has_many_messages(t):
    """As README.md has it for fetchmail. Its own TLS hangs at two lines in one
    record, hence the plugin."""
    command = fetchmail_command()
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60),
                        users_file=None, dovecot_auth=cram_md5(t))
    texts = queue_up(host, 20)
    stops = [None] * 4 + [stop_within(host)]
    local = t.local(tcp=True, lmtp=False, answers={"END": stops * 2})
    config = t.write("fetchmailrc", """\
poll 127.0.0.1 protocol ODMR port %d auth cram-md5
  plugin "openssl s_client -quiet -verify_return_error -no-CApath -CAfile %s \
-connect %%h:%%p"
  user "office" password "%s" fetchdomains "example.org" smtphost "127.0.0.1/%d"
""" % (host.tls_port, host.config["tls_cert_file"], PASSWORD, local.port), 0o600)

    def fetch():
        while host.postfix.queue():
            subprocess.run(command + ["-f", config, "-v", "--pidfile", t.path("pid")],
                           env=dict(os.environ, HOME=t.folder),
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                           check=False)
    with open(t.path("fetchmail.out"), "ab") as out:
        over_restarts(host, fetch, 2)
    came = [mail.stored(text) for _, _, text in local.messages]
    assert mail.same(came, texts) is None
