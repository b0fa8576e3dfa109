# SPDX-License-Identifier: ISC
"""
A real Exim as the provider: that no mail stays with it, and that it bounces
nobody by mistake.
"""
import mail
from exim_provider import EximProvider
from mta_cases import LARGE, TEXTS
from stage import rows, until

USER = "user@example.org"
OTHER = "other@example.com"


@rows(("clear", "off"), ("starttls", "starttls"), ("implicit", "implicit"))
def test_mail_arrives(t, tls):
    """In the clear in one call, under TLS one message a call: octet for octet,
    and all of it in one fetch."""
    exim = EximProvider(t)
    texts = TEXTS[:6] + [LARGE]
    for text in texts:
        exim.send([USER], text)
    both = mail.message("for two")
    exim.send([USER, OTHER], both)
    exim.configure(tls=tls)
    t.expect(t.fetch("office"), 0, "%d messages" % (len(texts) + 1))
    t.assert_mail(USER, *texts, both)
    t.assert_mail(OTHER, both)
    assert not exim.waiting(), exim.log()
    assert not exim.fates("**")
