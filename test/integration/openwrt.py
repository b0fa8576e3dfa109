# SPDX-License-Identifier: ISC
"""
openwrt - the scripts of contrib/openwrt under busybox' shell, with doubles of
what OpenWrt has around them. procd is not in Debian, nor is anything of it; the
doubles refuse what procd does not know, and what comes in the wrong place.
"""
import os
import re
import shutil
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILES = os.path.join(TOP, "contrib/openwrt/files")
# Where each variable of the init script lies on a router.
PLACES = {"PROGRAM": "/usr/sbin/odmr-agent", "FOLDER": "/etc/odmr-agent",
          "STATE": "/var/lib/odmr-agent", "UJAIL": "/sbin/ujail"}
# Each call is a line of $CALLS; lock is what procd holds while the script runs.
PROCD = r"""
opened=no jailed=no
say() { echo "$*" >>"$CALLS"; }
fault() { echo "FAULT: $*"; exit 99; }
inside() { [ $opened = yes ] || fault "outside of an instance: $*"; say "$@"; }
exec 1000>"$CALLS.lock"
flock -n 1000 || fault "procd's lock is held by an earlier call"
procd_open_instance() { [ $opened = no ] || fault "opened twice"; opened=yes; }
procd_close_instance() { inside instance "$@"; opened=no; }
procd_set_param() {
	case $1 in
	command) [ $# -ge 2 ] && [ -x "$2" ] || fault "no program: $*" ;;
	respawn) [ $# -eq 4 ] || fault "three numbers: $*" ;;
	user | group | stderr | term_timeout | no_new_privs)
		[ $# -eq 2 ] || fault "one word: $*" ;;
	*) fault "unknown: $*" ;;
	esac
	inside "$@"
}
procd_add_jail() {
	[ $jailed = no ] || fault "a second jail"
	name=$1
	shift
	for feature; do case $feature in
	log | ubus | procfs | sysfs | ronly | requirejail | netns | userns | cgroupsns) ;;
	*) fault "unknown: $feature" ;;
	esac; done
	jailed=yes
	inside jail "$name" "$@"
}
mounts() {
	word=$1
	shift
	[ $jailed = yes ] || fault "no jail: $*"
	for path; do
		case $path in /*) [ -e "$path" ] || fault "not there: $path" ;;
		*) fault "no path: $path" ;; esac
		inside "$word" "$path"
	done
}
procd_add_jail_mount() { mounts ro "$@"; }
procd_add_jail_mount_rw() { mounts rw "$@"; }
procd_running() { [ "$1" = odmr-agent ] && [ "$RUNNING" = yes ]; }
procd_send_signal() { say signal "$@"; }
procd_add_interface_trigger() { [ $# -ge 3 ] || fault "$*"; say trigger "$@"; }
chown() { say chown "$@"; }
logger() {
	shown=no
	while [ "${1#-}" != "$1" ]; do case $1 in
	-s) shown=yes && shift ;;
	*) shift 2 ;;
	esac; done
	[ $shown = no ] || echo "$*" >&2
	if [ $# -gt 0 ]; then say log "$@"; else sed 's/^/log /' >>"$CALLS"; fi
}
start() { start_service "$@" && service_triggers; }
reload() { reload_service "$@"; }
"""
# Of the program; the file is usable, at least in part.
DOUBLE = """\
#!/bin/sh
[ "$1" = ledger ] && exit
echo "$@" >>"$CALLS"
exit ${STATUS-0}
"""
# /lib/functions/network.sh
NETWORK = r"""
network_flush_cache() { :; }
network_find_wan() { [ -n "$WAN" ] && eval "$1=\$WAN"; }
network_find_wan6() { [ -n "$WAN6" ] && eval "$1=\$WAN6"; }
"""


def shell():
    """OpenWrt's where there is one."""
    return ["busybox", "ash"] if shutil.which("busybox") else ["sh"]


def script(name):
    with open(os.path.join(FILES, name), encoding="utf-8") as file:
        return file.read()


def executable(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o755)
    return path


class Router:
    """The init script with its places below a folder. program: the agent; else a
    double, of which `check` has the status $STATUS."""

    def __init__(self, folder, program=None):
        self.folder = folder
        self.config_folder = os.path.join(folder, "etc")
        self.config = os.path.join(self.config_folder, "odmr-agent.yaml")
        self.state = os.path.join(folder, "state")
        self.ujail = os.path.join(folder, "ujail")
        self.calls = os.path.join(folder, "calls")
        os.mkdir(self.config_folder)
        self.program = executable(
            folder + "/program", '#!/bin/sh\nexec "%s" -c "%s" "$@"\n' % (
                program, self.config) if program else DOUBLE)
        text = script("odmr-agent.init")
        for name, value in (("PROGRAM", self.program), ("STATE", self.state),
                            ("FOLDER", self.config_folder), ("UJAIL", self.ujail)):
            assert re.search("^%s=%s$" % (name, PLACES[name]), text, re.MULTILINE), name
            text = re.sub("^%s=.*" % name, "%s=%s" % (name, value), text,
                          flags=re.MULTILINE)
        self.script = executable(folder + "/init", PROCD + text + '\n"$@"\n')

    def call(self, *words, status=0, shows="", **environment):
        """What the script has called, line by line; its status must be this, and
        shows stand in what it shows, which is else nothing."""
        with open(self.calls, "w", encoding="utf-8"):
            pass
        done = subprocess.run(
            shell() + [self.script] + list(words), check=False,
            env=dict(os.environ, CALLS=self.calls, **environment),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = done.stdout.decode("utf-8", "replace")
        assert done.returncode == status and shows in out and (shows or not out), (
            "%s: status %d: %s" % (" ".join(words), done.returncode, out))
        return self.said()

    def said(self):
        with open(self.calls, encoding="utf-8") as file:
            return file.read().splitlines()


def hotplug(folder, **environment):
    """Runs the hotplug script in this environment; what it calls of the init
    script. RUNNING: whether the service runs."""
    calls = os.path.join(folder, "calls")
    init = executable(folder + "/service", '#!/bin/sh\ncase $1 in '
                      'running) [ "$RUNNING" = yes ] ;; *) echo "$@" >>"$CALLS" ;; esac\n')
    network = executable(folder + "/network.sh", NETWORK)
    text = script("odmr-agent.hotplug")
    for place, double in (("/etc/init.d/odmr-agent\n", init + "\n"),
                          ("/lib/functions/network.sh\n", network + "\n")):
        assert place in text, place
        text = text.replace(place, double)
    with open(calls, "w", encoding="utf-8"):
        pass
    subprocess.run(shell() + [executable(folder + "/hotplug", text)], check=False,
                   env=dict(os.environ, CALLS=calls, **environment))
    with open(calls, encoding="utf-8") as file:
        return file.read().splitlines()
