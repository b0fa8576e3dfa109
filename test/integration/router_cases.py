# SPDX-License-Identifier: ISC
"""
What a router asks for: little memory, no write to its flash that the manual
does not name, and that the jail of its init script has all that is needed.
"""
import hashlib
import os
import re
import shutil
import subprocess

import mail
import openwrt
from clock import sanitized
from memory_group import MemoryGroup
from service import Service
from stage import NO_LEAK_SEARCH, Skip, dotted, goodbye, hello, one_message, rows, until

MANUAL = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "../../man/odmr-agent.8")
CERTAIN = {"every": "1h", "jitter": "0s", "drain": False}
OFTEN = {"every": "1s", "jitter": "0s", "drain": False}
USER = "user@example.org"

# Memory

ROUTER = 32 << 20  # octets for all processes of the agent, and what they read
MANY = 1000
LARGE = 100 * 1000 * 1000
LINE = b"The quick brown fox jumps over the lazy dog.\r\n"


def texts():
    for number in range(MANY):
        yield mail.message("number %d" % number, LINE * 80)
    yield mail.message("large", LINE * (LARGE // len(LINE)))


def digest(text):
    """Of a message as it lies in a mailbox, without the fields on top."""
    return hashlib.sha256(mail.split_top(mail.stored(text))[1]).hexdigest()


def in_memory(path):
    return b"tmpfs" in subprocess.run(["stat", "-f", "-c", "%T", path], check=True,
                                      stdout=subprocess.PIPE).stdout


def held_mail(peaks):
    """A provider that sends it as fast as it can; peaks is called at the end."""
    def script(line):
        hello(line)
        for text in texts():
            line.send(b"MAIL FROM:<s@remote.example>\r\nRCPT TO:<user@example.org>\r\n"
                      b"DATA\r\n")
            for code in (250, 250, 354):
                line.expect(code)
            line.send(dotted(text))
            line.expect(250)
        peaks()
        goodbye(line)
    return script


@rows(("lmtp", "lmtp"), ("maildir", "maildir"))
def test_memory_of_a_router(t, kind):
    """`run` in 32 MB, page cache and both processes included: a thousand held
    messages and one of 100 MB arrive, and nothing is ended for want of memory."""
    if sanitized(t):
        raise Skip("a sanitizer takes more memory than a router has")
    group = MemoryGroup(ROUTER)
    t.at_end(group.end)
    seen = {}
    provider = t.provider(held_mail(lambda: seen.update(group.peaks())), tls="starttls")
    local = None
    if kind == "lmtp":
        local = t.local()
        deliver = {"lmtp": local.address}
    elif in_memory(t.folder):
        raise Skip("%s is in memory, and so are the messages there" % t.folder)
    else:
        deliver = t.maildir()
    t.configure(provider, deliver, **CERTAIN)
    service = Service(t, command=group.command(t.command("run")))
    service.logged("office: end", seconds=120)
    service.stop()
    assert not group.killed()
    arrived = [text for _, _, text in local.messages] if local else t.mail(USER)
    got = sorted(digest(text) for text in arrived)
    assert got == sorted(digest(text) for text in texts()), len(got)
    print("peaks in KiB: %s" % sorted(seen.values()))
    # `run` and the session's process, even if they shared no library.
    assert len(seen) == 2 and sum(seen.values()) << 10 < ROUTER, seen


# Flash

CHANGING = ("rename", "unlink", "mkdir", "rmdir", "link", "symlink", "truncate",
            "chmod", "chown", "utime", "mknod")
CALL = re.compile(r"(\w+)\((.*)\) += (\d+)(?:<(.*)>)?$")
NAME = re.compile(r'(?:(?:\d+|AT_FDCWD)<([^>]*)>, )?"([^"]*)"')


class Traced:
    """The agent under strace, which is no parent of it: signals go to the agent."""

    def __init__(self, t):
        self.base = t.path("trace")
        if os.geteuid() != 0:
            raise Skip("only root sees the files of a program that nobody may trace")
        if not shutil.which("strace"):
            raise Skip("there is no strace")
        if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False,
                          stderr=subprocess.DEVNULL).returncode != 0:
            raise Skip("nothing can be traced here")

    def command(self, words):
        """One file for each process, so that no call is torn apart by another."""
        return ["strace", "-D", "-ff", "-q", "-y", "-s", "400", "-o", self.base,
                "-e", "trace=%file,write,pwrite64,writev,ftruncate,fchmod,fchown"] + words

    def lines(self):
        folder, base = os.path.split(self.base)
        for name in sorted(os.listdir(folder)):
            if name.startswith(base + "."):
                with open(os.path.join(folder, name), encoding="utf-8",
                          errors="replace") as file:
                    yield from file

    def ended(self, pid):
        """Whether the trace is complete."""
        with open("%s.%d" % (self.base, pid), encoding="utf-8") as file:
            return "+++ exited" in file.read()

    def written(self):
        """(paths that were opened for writing, made, renamed, removed or changed;
        from each file to the number of writes)."""
        paths, writes = set(), {}
        for line in self.lines():
            found = CALL.match(line.rstrip("\n"))
            if not found:
                continue
            call, words, _, opened = found.groups()
            if call.startswith("open") and re.search("O_(WRONLY|RDWR|CREAT|TRUNC)", words):
                paths.add(opened)
            elif "write" in call:
                where = re.match(r"\d+<(/[^>]*)>", words)
                if where:
                    writes[where.group(1)] = writes.get(where.group(1), 0) + 1
            elif any(verb in call for verb in CHANGING) and "readlink" not in call:
                named = NAME.findall(words)
                paths.update(os.path.join(at, name) for at, name in named)
                if not named:
                    paths.update(re.findall(r"^\d+<(/[^>]*)>", words))
        paths = {p for p in paths if not p.startswith("/dev/")}
        # What others have opened for it is the log.
        return paths, {p: n for p, n in writes.items() if p in paths}


def named_by_the_manual(state):
    """What FILES of odmr-agent(8) has below state_dir, as patterns."""
    with open(MANUAL, encoding="utf-8") as file:
        section = file.read().split("\n.Sh FILES\n")[1].split("\n.Sh ")[0]
    names = [word for line in re.findall(r"^\.It Pa (.*)$", section, re.MULTILINE)
             for word in line.split(" , ")]
    assert "key" in names and "lock/" in names, names
    patterns = [re.escape(name).replace("ACCOUNT", "[a-z]+").replace("TIME", r"\d+")
                for name in names if not name.startswith("/")]
    return [re.compile("%s/%s%s" % (re.escape(state), p, "[^/]*" if p.endswith("/") else ""))
            for p in patterns]


def unnamed(t, paths, *others):
    """Those paths that neither the manual nor the configuration names."""
    state = t.path("state")
    allowed = named_by_the_manual(state)
    folders = {state} | {t.path("state", f) for f in ("status", "ledger", "lock")}
    # A file without a name, for a message that is collected.
    return sorted(p for p in paths - folders if not p.startswith(state + "/#")
                  and p not in others and not any(a.fullmatch(p) for a in allowed))


def traced_run(t, provider, count, deliver, top=None, **keys):
    """`run` until there were so many sessions and no mail is left; what it wrote,
    and how many sessions the log knows: the last may have been stopped before it
    called."""
    traced = Traced(t)
    t.configure(provider, deliver, top=top, **keys)
    service = Service(t, command=traced.command(t.command("run")), env=NO_LEAK_SEARCH)
    until(lambda: len(provider.sessions) >= count, 60, "session %d" % count)
    run = service.stop()
    until(lambda: traced.ended(service.pid), what="the whole trace")
    return (*traced.written(), len(re.findall("office: (end|no-mail)", run.err)))


def test_writes_without_mail(t):
    """A session writes its status file anew and nothing else: 288 files a day with
    `every: 5m`. The rest is made once."""
    provider = t.provider(tls="starttls")
    paths, writes, ends = traced_run(t, provider, 4, {"lmtp": t.local().address},
                                     top={"log_level": "debug"}, **OFTEN)
    assert not unnamed(t, paths), unnamed(t, paths)
    status = t.path("state/status/office.json.new")
    others = {path: n for path, n in writes.items() if path != status}
    assert 3 <= writes[status] <= ends, (writes, ends)
    assert all(n == 1 for n in others.values()) and set(others) <= {
        t.path("state/key.new"), t.path("state/ledger/office~")}, others
    size = os.path.getsize(t.path("state/status/office.json"))
    print("a poll without mail writes %d octets" % size)


def test_writes_with_mail(t):
    """Only what the manual names, with a message that is collected on disk, one
    that the ledger keeps, and all files that the configuration can ask for."""
    large = mail.message("large", LINE * 50000)
    local = t.local(answers={"END": {USER: "250 2.0.0 Ok",
                                     "full@example.org": "452 4.2.2 Full"}})
    provider = t.provider(one_message(large, USER), one_message(
        mail.message("mixed"), USER, "full@example.org", expect=451), tls="starttls")
    files = [t.path(name) for name in ("page.html", "metrics.prom")]
    paths, writes, _ = traced_run(
        t, provider, 4, {"lmtp": local.address, "collect": True},
        top={"status_page": files[0], "metrics_file": files[1]}, **OFTEN)
    new = [name + ".new" for name in files]
    assert not unnamed(t, paths, *files, *new), unnamed(t, paths, *files, *new)
    assert local.messages[0][2].endswith(large)
    assert t.path("state/ledger/office") in writes, writes


# The jail

# What procd's jail has by itself, then what the init script asks for: ro PATH and
# rw PATH, a line each. The rest of the file system is not there.
JAIL = r"""
set -e
root=$1 program=$2
shift
mount -t tmpfs none "$root"
have() {
	if [ -d "$2" ]; then mkdir -p "$root$2"
	else mkdir -p "$(dirname "$root$2")" && : >"$root$2"; fi
	mount --bind "$2" "$root$2"
	if [ "$1" = ro ]; then mount -o remount,ro,bind "$root$2"; fi
}
for path in $(ldd "$program" | grep -o '/[^ ]*') "$program" /etc/passwd /etc/group \
	/etc/nsswitch.conf /etc/resolv.conf; do
	[ -e "$root$path" ] || [ ! -e "$path" ] || have ro "$path"
done
for path in full null random urandom zero; do have rw "/dev/$path"; done
while read -r kind path rest; do case $kind in
ro | rw) have "$kind" "$path" ;;
jail) case " $rest " in *" procfs "*) mkdir "$root/proc" && mount -t proc proc "$root/proc" ;;
esac ;; esac; done
exec chroot --userspec=65534:65534 "$root" "$@" </dev/null
"""


def test_jail_has_what_a_session_needs(t):
    """For TLS, a message that is kept on disk until it is whole, status and ledger,
    by a user who is not root."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"],
                                           check=False).returncode != 0:
        raise Skip("only root can mount")
    box = openwrt.Router(t.sub("router"), program=t.binary)
    openwrt.executable(box.ujail, "#!/bin/sh\n")
    large = mail.message("large", LINE * 50000)
    provider = t.provider(one_message(large, USER), tls="starttls")
    local = t.local(tcp=True)
    authority = shutil.copy(t.certificates.authority.cert, box.config_folder)
    account = t.account(provider, tls_ca_file=authority)
    account["provider"] = "localhost:%s" % provider.address.rpartition(":")[2]
    t.configure(accounts={"office": account}, top={"state_dir": box.state},
                deliver={"lmtp": local.address, "collect": True})
    shutil.copy(t.config_file, box.config)
    os.chmod(box.config, 0o600)
    said = box.call("start_service")
    assert not [line for line in said if line.startswith("log")], said
    for path in (box.state, box.config):
        os.chown(path, 65534, 65534)
    mounts = t.write("mounts", "\n".join(said) + "\n")
    run = t.run("fetch", command=[
        "unshare", "-m", "sh", "-c", 'exec <"$0"; ' + JAIL, mounts, t.sub("jail"),
        t.binary, "-c", box.config, "fetch"], env=NO_LEAK_SEARCH)
    t.expect(run, 0)
    assert local.messages[0][2].endswith(large)
    assert os.listdir(box.state + "/status") == ["office.json"]
