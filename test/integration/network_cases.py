# SPDX-License-Identifier: ISC
"""
What networks do to a customer who is held: the office is behind a router with
NAT, in name spaces of its own.
"""
import os
import signal
import time

import mail
from network import Network
from patience import slowest
from provider_host import ProviderHost
from service import Service
from stage import until, waits

USER = "user@example.org"
HELD = 30  # seconds after which the agent knows that the provider holds
KEPT_ALIVE = 60  # seconds without a packet, after which a connection is dead


def office(t, accounts=None, **keys):
    """A network, a provider and an agent in the office that is held."""
    network = Network(t)
    host = ProviderHost(t, accounts, address=Network.PROVIDER, hold="9m")
    t.configure(accounts={name: host.account(name, **keys)
                          for name in host.accounts},
                top={"log_level": "debug"})
    service = Service(t, command=network.command("run"))
    for name in host.accounts:
        host.held(name)
    return network, host, service


def logins(host, account="office"):
    return host.log().count("login user=%s " % account)


def listening(service):
    service.logged("listening", "holds its reply", seconds=HELD + 30)


def deliver(t, host, text, seconds=60):
    before = len(t.mail(USER))
    host.send([USER], text)
    until(lambda: len(t.mail(USER)) > before, seconds, "the message")


@waits
def test_nat_forgets_held_customers(t):
    """They notice it within the time of their keep-alive, and whoever has mail
    by then gets it: office has some, shop has none."""
    network, host, service = office(
        t, {"office": ["example.org"], "shop": ["shop.example"]}, every="1s")
    first, second = mail.message("through the NAT"), mail.message("after it")
    held = host.held()
    deliver(t, host, first)
    host.held(after=held)
    host.held("shop")
    network.forget()
    begun = time.monotonic()
    before = logins(host, "office"), logins(host, "shop")
    host.send([USER], second)
    until(lambda: t.mail(USER)[1:] and logins(host, "shop") > before[1],
          KEPT_ALIVE + 30, "the message and a new call of both")
    took = time.monotonic() - begun
    limit = KEPT_ALIVE + 10 * slowest()
    run = service.stop()
    assert took < limit, "it took %.1f s" % took
    assert " error " not in run.err, run
    t.assert_mail(USER, first, second)
    host.postfix.emptied()


@waits
def test_nat_forgets_in_the_midst_of_a_message(t):
    """The message comes again, and comes once."""
    network, host, service = office(t, every="1s")
    text = mail.message("long", (b"x" * 70 + b"\r\n") * 8000)
    network.slow_down("400kbit")
    host.send([USER], text)
    folder = t.path("mail", "example.org", "user", "tmp")

    def partly():
        return any(len(text) > 50000 for _, text in mail.files(folder))
    until(partly, what="a part of the message")
    network.forget()
    network.slow_down("100mbit")
    until(lambda: t.mail(USER), KEPT_ALIVE + 60, "the message")
    host.postfix.emptied()
    service.stop()
    t.assert_mail(USER, text)


@waits
def test_nat_forgets_before_a_reply(t):
    """Our 250 gets lost: the agent does not wait for minutes for what comes
    next, and the message, sent again, is not delivered again."""
    network = Network(t)
    host = ProviderHost(t, address=Network.PROVIDER, hold="9m")

    def forget(_server, _rcpt):
        network.forget()
    local = t.local(answers={"END": [forget]})
    t.configure(deliver={"lmtp": local.address},
                accounts={"office": host.account(every="1s")})
    service = Service(t, command=network.command("run"))
    host.held()
    host.send([USER], mail.message("delivered, and our word is lost"))
    until(lambda: local.messages, what="the delivery")
    before = logins(host)
    begun = time.monotonic()
    until(lambda: logins(host) > before, 2 * KEPT_ALIVE, "a new call")
    took = time.monotonic() - begun
    host.postfix.emptied()
    limit = KEPT_ALIVE + 10 * slowest()
    service.stop()
    assert took < limit, "it took %.1f s" % took
    assert len(local.messages) == 1, "nothing comes twice"


@waits
def test_address_changes(t):
    """The hook of a network that comes back, SIGUSR1, ends the dead wait."""
    network, host, service = office(t, every="5m")
    listening(service)
    before = logins(host)
    network.readdress()
    service.signal(signal.SIGUSR1)
    until(lambda: logins(host) > before, KEPT_ALIVE / 3, "a new call")
    text = mail.message("at the new address")
    deliver(t, host, text, KEPT_ALIVE / 3)
    service.stop()
    t.assert_mail(USER, text)


@waits
def test_network_is_away(t):
    """The provider does not keep a dead connection, nor the mail that Postfix
    sent by it; when the network is back, SIGUSR1 brings the mail."""
    network, host, service = office(t, every="5m")
    network.cut()
    text = mail.message("while the network was away")
    host.send([USER], text)
    host.logged("turned")
    host.logged("turn-end", "the customer: the connection was lost",
                seconds=180)
    until(lambda: not host.states(), what="the end of the dead connection")
    host.postfix.keeps()
    network.mend()
    service.signal(signal.SIGUSR1)
    until(lambda: t.mail(USER), 60, "the message")
    service.stop()
    t.assert_mail(USER, text)


@waits
def test_packets_are_lost_and_late(t):
    """Mail comes later, and comes once."""
    network, host, service = office(t, every="1s")
    network.worsen(percent=4, delay=120)
    texts = [mail.message("bad network %d" % n, b"line\r\n" * 5000)
             for n in range(8)]
    for text in texts:
        deliver(t, host, text, 120)
    service.stop()
    t.assert_mail(USER, *texts)
