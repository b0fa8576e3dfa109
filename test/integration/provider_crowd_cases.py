# SPDX-License-Identifier: ISC
"""
Who would keep customers out of odmr-provider, or its log and processors busy:
without a password that is right, and a customer who has one.
"""
import socket
import time

import mail
from provider_host import Customer, ProviderHost
from stage import until

# What no mechanism is answered with, a wrong password, and a user of nobody's.
MALFORMED = "AUTH PLAIN AAAA"
WRONG = "AUTH PLAIN AG9mZmljZQB3cm9uZw=="


def calls_from(host, number):
    """A customer at 127.0.0.NUMBER, under TLS."""
    customer = Customer(host.port, source="127.0.0.%d" % number)
    customer.start_tls()
    return customer


def test_guessers_keep_no_customer_out(t):
    """All places are those of people who wait after a wrong password. A customer
    comes in, and their addresses are as full as before."""
    host = ProviderHost(t, max_connections=4, max_per_address=2, hold="0s",
                        settle="1s")
    guessers = [calls_from(host, number) for number in (7, 7, 8, 8)]
    for guesser in guessers:
        guesser.say("\r\n".join([WRONG] * 3))
    until(lambda: host.log().count("login-failed") >= 4, 60, "four who guess")
    t.configure(accounts={"office": host.account()})
    t.expect(t.fetch("office"), 0, "no mail")
    assert "died" not in host.log(), host.log()
    for guesser in guessers:
        guesser.close()


def test_strangers_at_a_customers_address(t):
    """As many as one address may have, behind the NAT of a customer, who say
    nothing: he comes in once they have had the time that a login takes."""
    host = ProviderHost(t, max_per_address=2, hold="0s", settle="1s")
    strangers = []
    for _ in range(2):
        strangers.append(Customer(host.port))
        assert strangers[-1].reply()[0].startswith("220")

    def is_greeted():
        with socket.create_connection(("127.0.0.1", host.port), 60) as sock:
            sock.settimeout(60)
            return sock.recv(100).startswith(b"220")
    until(is_greeted, 40, "a place at the address of strangers")
    assert strangers[0].reply() == [], "the oldest one is still there"
    assert strangers[1].socket.send(b"NOOP\r\n") == 6
    assert strangers[1].reply() == ["250 2.0.0 ok"]


def test_a_login_that_fails_takes_its_time(t):
    """However it fails: each has a line in the log."""
    host = ProviderHost(t)
    customer = host.customer()
    customer.start_tls()
    begun = time.monotonic()
    customer.ask(MALFORMED, 501)
    customer.ask(WRONG, 535)
    host.run("passwd", "--delete", "office")
    customer.ask(WRONG, 535)
    assert time.monotonic() - begun >= 6
    assert host.log().count("login-failed") == 3


def test_a_customer_whose_reply_has_no_end(t):
    """He is never silent; the mail stays for his next call."""
    host = ProviderHost(t)
    customer = host.customer()
    customer.login()
    customer.say("ATRN")
    host.held()
    host.send(["user@example.org"], mail.message("for somebody who listens"))
    assert customer.reply()[0].startswith("250")
    piece = b"220-" + b"y" * 4000 + b"\r\n"
    sent = 0
    try:
        while sent < 1 << 30:
            sent += customer.socket.send(piece)
    except OSError:
        pass
    assert sent < 1 << 30, "it goes on for ever"
    host.logged("turn-end", "the customer's reply had no end")
    t.configure(accounts={"office": host.account()})
    t.expect(t.fetch("office"), 0, "1 message")
