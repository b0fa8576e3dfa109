# SPDX-License-Identifier: ISC
"""
odmr-provider over days: mail that is tried again and again, and what an
administrator does to the server meanwhile.
"""
import mail
from doubles import DIE
from provider_cases import USER
from provider_host import ProviderHost
from provider_stop_cases import Office
from servers import until

POISON = "poison@example.org"


def test_a_message_at_which_the_customer_always_breaks_off(t):
    """It keeps none behind it away: whatever stands before or after it is delivered in
    a call or two more. Without that each call begins with the same message."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60))
    texts = []
    for n in range(12):
        text = mail.message("number %d" % n)
        bad = n in (2, 6)
        host.send([POISON if bad else USER], text)
        if not bad:
            texts.append(text)
    host.postfix.keeps(12)
    office = Office(t, host, answers={"RCPT": {POISON: DIE}})
    until(lambda: len(office.messages) == len(texts), 120, "all other mail")
    calls = len(office.ends)
    office.over = True
    assert mail.same(office.came(), texts) is None
    assert calls < 10, (calls, host.log())
    assert len(host.postfix.queue()) == 2
