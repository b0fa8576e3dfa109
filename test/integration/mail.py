# SPDX-License-Identifier: ISC
"""
mail - messages to send, and the comparison with what arrived.

What arrives must be, byte for byte, what was sent, but for the fields that
those who hand it on must put on top (Received, Return-Path, Delivered-To).
"""
import email.utils
import glob
import os
import re

ON_TOP = (b"received", b"return-path", b"delivered-to", b"x-original-to",
          b"envelope-to", b"delivery-date")


def message(subject="hello", body=b"A line.\r\n", sender="sender@remote.example",
            headers=b""):
    """A message as SMTP carries it, before dots are doubled."""
    head = (b"From: <%s>\r\nSubject: %s\r\nMessage-ID: <%s@remote.example>\r\n"
            b"Date: %s\r\n" % (
                sender.encode(), subject.encode(),
                re.sub(r"\W+", ".", subject).encode(),
                email.utils.formatdate(0).encode()))
    return head + headers + b"\r\n" + body


def split_top(text):
    """text with LF lines -> (fields on top, the message below them)."""
    fields = []
    while True:
        found = re.match(rb"([!-9;-~]+):(?:[^\n]*\n)(?:[ \t][^\n]*\n)*", text)
        if not found or found.group(1).lower() not in ON_TOP:
            return fields, text
        fields.append(found.group(0))
        text = text[found.end():]


def stored(text):
    """As a local store keeps a message: lines end with LF."""
    return text.replace(b"\r\n", b"\n")


def files(folder):
    """The paths of a folder's files, with what stands in them. Who writes there
    may still be alive: what goes away after it was listed is passed over."""
    for path in sorted(glob.glob(os.path.join(folder, "*"))):
        try:
            with open(path, "rb") as file:
                yield path, file.read()
        except FileNotFoundError:
            pass


def maildir(folder):
    """The messages that lie in a Maildir's new/ and cur/, oldest name first."""
    return [text for part in ("new", "cur")
            for _, text in files(os.path.join(folder, part))]


def same(arrived, sent):
    """None, or what is wrong: arrived are raw stored messages, sent messages
    as they went over the line; the order does not matter."""
    got = sorted(split_top(a)[1] for a in arrived)
    wanted = sorted(stored(s) for s in sent)
    if got == wanted:
        return None
    if len(got) != len(wanted):
        return "%d messages arrived, %d were sent: %r" % (
            len(got), len(wanted), [g[-60:] for g in got[:5]])
    for one, other in zip(got, wanted):
        if one != other:
            at = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b),
                      min(len(one), len(other)))
            return "differs at octet %d of %d: %r, sent %r" % (
                at, len(other), one[max(0, at - 20):at + 40],
                other[max(0, at - 20):at + 40])
    return "unequal"
