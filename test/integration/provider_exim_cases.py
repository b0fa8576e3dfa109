# SPDX-License-Identifier: ISC
"""
odmr-provider called by `exim -atrn`, a customer that remembers nothing of a
connection that broke.
"""
import signal
import threading

import mail
from exim_customer import EximCustomer
from provider_host import ProviderHost
from provider_stop_cases import over_restarts, queue_up
from servers import until

DOMAIN = "example.org"
EXIM_WAITS = 20  # for the reply to ATRN 30 s, and a flush comes before


def came(exim, texts):
    """Postfix and Exim each put a Received in front."""
    def strip(text):
        return text[text.index(b"Subject:"):]
    return mail.same([strip(text) for text in exim.mail()],
                     [strip(mail.stored(text)) for text in texts])


def test_exim_has_what_waits(t):
    """And then is told that there is no mail, which is no failure."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=EXIM_WAITS))
    texts = queue_up(host, 4)
    exim = EximCustomer(t, host.port)

    def fetched_all():
        exim.fetch(DOMAIN)
        return not host.postfix.queue()
    until(fetched_all, 60, "an empty queue")
    assert exim.fetch(DOMAIN) == 0, exim.log()
    until(lambda: len(exim.mail()) == 4, what="the deliveries of Exim")
    assert came(exim, texts) is None


def test_restarts_while_exim_has_many_messages(t):
    """It is told what it needs to know: each message comes once."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=EXIM_WAITS))
    texts = queue_up(host, 12)
    exim = EximCustomer(t, host.port, delay="1s")

    def fetch():
        while host.postfix.queue():
            exim.fetch(DOMAIN)

    def stop():
        for part in range(1, 3):
            # Not by what Exim has delivered, which may be long after.
            until(lambda: host.postfix.log().count("status=sent")
                  >= 4 * part - 1, 120, "some mail")  # noqa: B023
            child = host.child
            child.send_signal(signal.SIGTERM)
            until(lambda: host.child is not child, 120, "the next one")  # noqa: B023
    stopper = threading.Thread(target=stop, daemon=True)
    stopper.start()
    over_restarts(host, fetch, 2)
    stopper.join()
    until(lambda: len(exim.mail()) >= len(texts), 60, "the deliveries of Exim")
    assert came(exim, texts) is None, host.log()
    assert "status=bounced" not in host.postfix.log()
    assert host.log().count("this program is being stopped") > 0
