# SPDX-License-Identifier: ISC
"""
contrib/openwrt: the init script and the hotplug script as a router runs them,
and what the package holds.
"""
import hashlib
import os
import re
import stat

from openwrt import FILES, PLACES, Router, executable, hotplug, script
from servers import until

FOLDER = os.path.dirname(FILES)
YAML = """\
# Kept on /mnt/usb: nothing
hostname: mail.example.org
accounts:
  office: {provider: odmr.example.net, user: u, domains: example.org,
    password_file: %s/office.password, tls_ca_file: /etc/ssl/own.pem,
    ping_url: "https://hc-ping.com/x"}
deliveries:
  local: {smtp: "192.168.1.10:25"}
"""


def router(place, name, **changes):
    """A router that is configured, with a jail; words of its configuration are
    replaced."""
    box = Router(place.sub(name))
    text = YAML % box.config_folder
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    with open(box.config, "w", encoding="utf-8") as file:
        file.write(text)
    executable(box.ujail, "#!/bin/sh\n")
    return box


# The init script


def test_init_before_the_configuration(place):
    """Nothing is started; the folder of the state is there, for `odmr-agent init`
    and `check` take their user from it."""
    box = Router(place.sub("none"))
    assert script("odmr-agent.init").startswith("#!/bin/sh /etc/rc.common\n")
    assert stat.S_IMODE(os.stat(FILES + "/odmr-agent.init").st_mode) & 0o111
    assert box.call("start_service") == ["chown odmr-agent:odmr-agent " + box.state]
    assert stat.S_IMODE(os.stat(box.state).st_mode) == 0o750
    assert box.call("start_service") == []
    assert box.call("fetch") == []


def test_init_starts(place):
    """As the agent's user, started again for ever, with time to end a session."""
    box = router(place, "starts")
    os.unlink(box.ujail)
    said = box.call("start")
    assert said[:2] == ["chown odmr-agent:odmr-agent " + box.state,
                        "command %s run" % box.program], said
    for line in ("user odmr-agent", "group odmr-agent", "respawn 3600 30 0",
                 "term_timeout 90", "stderr 1", "instance"):
        assert line in said, (line, said)
    assert not [x for x in said if x.startswith(("jail", "ro ", "rw ", "no_new"))]
    for name in ("wan", "wan6"):
        assert "trigger interface.*.up %s /etc/init.d/odmr-agent fetch" % name in said


def test_init_jail(place):
    """With what the agent reads, and one folder to write to."""
    box = router(place, "jail")
    said = box.call("start_service")
    assert "jail odmr-agent log procfs" in said and "no_new_privs 1" in said, said
    assert [x for x in said if x.startswith("rw ")] == ["rw " + box.state], said
    for path in (box.config_folder, "/etc/ssl", "/etc/hosts"):
        assert "ro " + path in said, (path, said)


def test_init_no_jail(place):
    """What the configuration names must be there for the service as it is for
    `check`; the log says so, without a word of the configuration."""
    tried = (("local", "x, alarm_command: logger"), ("hostname:", "state_dir: /mnt/usb\nh:"),
             ("/etc/ssl/own.pem", "/mnt/usb/ca.pem"), ("/etc/ssl/own.pem", "'/ca.pem'"),
             ("smtp", "sendmail"), ("office.password,", "../secret, password: /geheim,"),
             ('smtp: "192.168.1.10:25"', "lmtp: /run/lmtp"),
             ('smtp: "192.168.1.10:25"', '"maildir":\t"/srv/{user}"'))
    for number, (old, new) in enumerate(tried):
        box = router(place, "others-%d" % number, **{old: new})
        said = box.call("start_service")
        assert "command %s run" % box.program in said and "instance" in said, said
        assert not [x for x in said if x.startswith(("jail", "ro ", "rw "))], (new, said)
        (log,) = [x for x in said if x.startswith("log ")]
        assert "no jail" in log and box.config_folder in log, log
        assert "geheim" not in log and "/mnt" not in log, log


def test_init_reload(place):
    """One that was not there, or asks for another jail, is seen to by procd; else
    the agent reads it anew."""
    box = router(place, "reload")
    said = box.call("reload", RUNNING="yes")
    assert said[0] == "check" and said[-1] == "signal odmr-agent", said
    assert "instance" in said, said
    said = box.call("reload", RUNNING="no")
    assert said[0] == "check" and "instance" in said, said
    assert "signal odmr-agent" not in said, "it would end a program just started"


def test_init_reload_with_errors(place):
    """The agent alone decides what is usable. One that runs is not ended, one that
    does not is started, and the status says that there are errors."""
    box = router(place, "reload-errors")
    assert box.call("reload", RUNNING="yes", STATUS="78", status=1) == [
        "check", "signal odmr-agent"]
    said = box.call("reload", RUNNING="no", STATUS="78", status=1)
    assert said[0] == "check" and "command %s run" % box.program in said, said
    assert "instance" in said and "signal odmr-agent" not in said, said


def agents_router(place, name, text):
    """A router with the agent itself, and this configuration, in which %s stands for
    its folder."""
    agent = place.installed + "/usr/local/sbin/odmr-agent"
    box = Router(place.sub(name), program=agent)
    with open(box.config, "w", encoding="utf-8") as file:
        file.write(text.replace("%s", box.config_folder))
    os.chmod(box.config, 0o600)
    return box


def test_init_with_nothing_usable(place):
    """A program that would end at once is not given to procd, which would start it
    every 30 seconds, for ever. Who has called learns it there, and finds the reason
    in the log; one that runs is not ended."""
    box = agents_router(place, "unusable", "accounts: 7\n")
    for word, running in (("start", "no"), ("start", "yes"), ("reload", "no")):
        said = box.call(word, status=1, RUNNING=running,
                        shows="not started: nothing in " + box.config)
        assert all(line.startswith(("log ", "chown ")) for line in said), said
        logged = "\n".join(line for line in said if line.startswith("log "))
        assert box.config + ":1:" in logged and "not started" in logged, logged
    assert box.call("reload", status=1, RUNNING="yes", shows=box.config + ":1:") == [
        "signal odmr-agent"]


def test_init_with_something_usable(place):
    """An account that is not usable keeps no other from its mail."""
    box = agents_router(place, "usable", YAML)
    assert "command %s run" % box.program in box.call("start", RUNNING="no")
    said = box.call("reload", status=1, RUNNING="no", shows="usable only in part")
    assert "command %s run" % box.program in said and "instance" in said, said


def test_init_fetch(place):
    """In the background, and the next call of the script need not wait for it."""
    box = router(place, "fetch")
    gate = box.folder + "/gate"
    os.mkfifo(gate)
    executable(box.program, '#!/bin/sh\n[ "$1" = ledger ] && exit\n'
               'echo "$@" >>"$CALLS"; cat "%s" >/dev/null\n' % gate)
    box.call("fetch")
    until(lambda: "-q fetch" in box.said(), what="the fetch")
    box.call("start_service")
    with open(gate, "w", encoding="ascii"):
        pass


# The hotplug script


def test_hotplug(place):
    """A fetch when another uplink than wan comes up, and for nothing else."""
    folder = place.sub("hotplug")
    up = {"ACTION": "ifup", "RUNNING": "yes", "WAN": "", "WAN6": ""}
    for want, changes in ((["fetch"], {"INTERFACE": "wwan", "WAN": "wwan"}),
                          (["fetch"], {"INTERFACE": "lte_6", "WAN": "wan", "WAN6": "lte_6"}),
                          ([], {"INTERFACE": "wan", "WAN": "wan"}),
                          ([], {"INTERFACE": "wan6", "WAN6": "wan6"}),
                          ([], {"INTERFACE": "lan", "WAN": "wwan"}),
                          ([], {"INTERFACE": "lan"}),
                          ([], {"INTERFACE": "loopback"}),
                          ([], {"INTERFACE": "wwan", "WAN": "wwan", "ACTION": "ifdown"}),
                          ([], {"INTERFACE": "wwan", "WAN": "wwan", "ACTION": "ifupdate"}),
                          ([], {"INTERFACE": "wwan", "WAN": "wwan", "RUNNING": "no"})):
        assert hotplug(folder, **dict(up, **changes)) == want, changes


# The package

RULES = """\
INSTALL_DIR := install -d -m 755
INSTALL_BIN := install -m 755
INSTALL_DATA := install -m 644
INCLUDE_DIR := $(TOPDIR)
"""
# What a value of the package is, and two of the steps.
PACKAGE = """\
Build/Compile/Default = $(MAKE) -C $(PKG_BUILD_DIR) $(MAKE_FLAGS) $(1)
define BuildPackage
compile:
	$$(call Build/Compile)
install:
	$$(call Package/$(1)/install,$$(ROOT))
value:
	@: $$(info $$($$(NAME)))
endef
"""


def package(place, folder, *words, source=FOLDER):
    """Its Makefile, with doubles of what a feed's includes."""
    for name, text in (("rules.mk", RULES), ("package.mk", PACKAGE)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    return place.make("-C", source, "TOPDIR=" + folder, "PKG_BUILD_DIR=" + place.top,
                      "--no-print-directory", *words)


def value(place, folder, name, **options):
    return package(place, folder, "value", "NAME=" + name, **options).strip()


def test_package_installs(place):
    folder = place.sub("package")
    root = folder + "/root"
    package(place, folder, "compile")
    package(place, folder, "install", "ROOT=" + root)
    found = {}
    for where, _, names in os.walk(root):
        for name in names:
            path = os.path.join(where, name)
            found[path[len(root):]] = stat.S_IMODE(os.stat(path).st_mode)
    assert found == {
        PLACES["PROGRAM"]: 0o755, "/etc/init.d/odmr-agent": 0o755,
        "/etc/hotplug.d/iface/95-odmr-agent": 0o644,
        PLACES["FOLDER"] + "/odmr-agent.yaml.example": 0o644}, found
    assert PLACES["FOLDER"] + "/odmr-agent.yaml" in place.run(
        root + PLACES["PROGRAM"], "help")


def test_package_is_what_a_feed_asks_for(place):
    folder = place.sub("feed")
    assert re.fullmatch(r".+ <\S+@\S+>", value(place, folder, "PKG_MAINTAINER"))
    for name in value(place, folder, "PKG_LICENSE_FILES").split():
        assert os.path.exists(os.path.join(place.top, name)), name
    text = value(place, folder, "Package/odmr-agent")
    assert "USERID:=odmr-agent:odmr-agent" in text, text
    # sysupgrade keeps what is in there.
    assert value(place, folder, "Package/odmr-agent/conffiles") == PLACES["FOLDER"] + "/"


def test_package_is_for_the_archive(place):
    """`make openwrt` names version and digest of what it has packed."""
    if not os.path.exists(os.path.join(place.top, ".git")):
        return
    folder = place.sub("digest")
    build = folder + "/build"
    place.make("openwrt", "BUILD=" + build)
    source = build + "/openwrt"
    version = place.run(place.installed + "/usr/local/sbin/odmr-agent", "--version")
    assert version.startswith("odmr-agent %s\n" % value(
        place, folder, "PKG_VERSION", source=source)), version
    with open("%s/%s" % (build, value(place, folder, "PKG_SOURCE", source=source)),
              "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    assert value(place, folder, "PKG_HASH", source=source) == digest
    assert sorted(os.listdir(source)) == sorted(os.listdir(FOLDER))
