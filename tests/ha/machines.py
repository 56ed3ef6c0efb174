"""Machines and their network, made of namespaces: nothing of them is seen outside, and all of it ends with this process."""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
PATH = "/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ADDRESSES = {"a": "192.0.2.11", "b": "192.0.2.12", "c": "192.0.2.13", "client": "192.0.2.100"}
FLOATING = {"issue": "192.0.2.10", "status": "192.0.2.20", "back": "192.0.2.30"}


class Failed(Exception):
    pass


def run(*words, check=True, seconds=120, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, **options)
    if check and done.returncode:
        raise Failed(f"{' '.join(str(word) for word in words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def until(holds, seconds, pause=0.05):
    """Whether it held within that time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def dies_with_us():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def child_of(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    except (OSError, IndexError):
        return None


class Place:
    """A network of its own and nothing more: the switch, the client."""

    def __init__(self, name):
        self.name = name
        self.process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=dies_with_us)
        own = os.readlink("/proc/self/ns/net")
        if not until(lambda: os.readlink(f"/proc/{self.process.pid}/ns/net") != own, 5, 0.005):
            raise Failed(f"{name}: no network of its own")
        self.pid = self.process.pid
        self.run("ip", "link", "set", "lo", "up")

    def enter(self):
        return ["nsenter", "--net", "-t", str(self.pid)]

    def run(self, *words, **options):
        return run(*self.enter(), *words, **options)

    def close(self):
        self.process.kill()
        self.process.wait()


class Switch(Place):
    def __init__(self):
        super().__init__("switch")
        self.run("ip", "link", "add", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
        self.run("ip", "link", "set", "br0", "up")

    def plug_in(self, place):
        self.run("ip", "link", "add", "to-" + place.name, "type", "veth", "peer", "name", "eth0", "netns", place.pid)
        self.run("ip", "link", "set", "to-" + place.name, "master", "br0", "up")
        place.run("ip", "addr", "add", ADDRESSES[place.name] + "/24", "dev", "eth0")
        place.run("ip", "link", "set", "eth0", "up")


class Machine:
    """One that can be switched off like by a power cut, and on again."""

    def __init__(self, name, folder, switch):
        self.name, self.folder, self.switch = name, folder / name, switch
        self.process = None
        self.folder.mkdir()

    def is_on(self):
        return self.process is not None

    def switch_on(self):
        words = ["unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
        with open(self.folder / "machine.log", "ab") as log:
            self.process = subprocess.Popen([*words, HERE / "machine.sh", self.name, self.folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=dies_with_us)
        if not until(lambda: self.process.poll() is not None or (self.folder / "run/lab/up").exists(), 20, 0.01) or self.process.poll() is not None:
            raise Failed(f"machine {self.name}: " + (self.folder / "machine.log").read_text())
        self.pid = child_of(self.process.pid)
        self.switch.plug_in(self)
        return self

    def switch_off(self):
        """At once, whatever runs."""
        if self.process is None:
            return
        pid = child_of(self.process.pid)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        (self.folder / "run/lab/up").unlink(missing_ok=True)

    close = switch_off

    def enter(self):
        return ["nsenter", "--mount", "--net", "--pid", "--uts", "-t", str(self.pid), "--wdns=/run/home"]

    def run(self, *words, **options):
        environment = {"PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8", **options.pop("environment", {})}
        return run(*self.enter(), *words, env=environment, **options)

    def hanaper(self, *words, **options):
        return self.run("setpriv", "--reuid=hanaper", "--regid=hanaper", "--init-groups", "hanaper", *words, **options)

    def service(self, verb, unit, **environment):
        return self.run("systemctl", verb, unit, environment=environment)

    def signal(self, unit, number):
        self.run("systemctl", "kill", "-s", number, unit)

    def sql(self, statement, database="mysql"):
        return self.run("mariadb", "--connect-timeout=2", "-N", "-B", database, "-e", statement, seconds=20)

    def database(self):
        """As Galera has it: (Primary, size, Synced)."""
        try:
            rows = dict(line.split("\t") for line in self.run("mariadb", "--connect-timeout=1", "-NBe", "SHOW STATUS LIKE 'wsrep_%'", seconds=3).splitlines()
                        if line.count("\t") == 1)
        except (Failed, subprocess.TimeoutExpired):
            return None
        return rows.get("wsrep_cluster_status"), int(rows.get("wsrep_cluster_size", 0)), rows.get("wsrep_local_state_comment")

    def has(self, floating):
        return self.is_on() and FLOATING[floating] + "/32" in self.run("ip", "-4", "addr", "show", "eth0", check=False)

    def track(self, which):
        try:
            return (self.folder / "run/hanaper" / which).read_text().strip()
        except OSError:
            return ""

    # Cuts: packets are lost in silence, to and from those.
    def cut_from(self, *others):
        addresses = "{ " + ", ".join(ADDRESSES[other] for other in others) + " }"
        self.run("nft", f"add table ip cut; add chain ip cut in {{ type filter hook input priority -200; }}; add chain ip cut out {{ type filter hook output priority -200; }}; "
                        f"add rule ip cut in ip saddr {addresses} drop; add rule ip cut out ip daddr {addresses} drop")

    def heal(self):
        self.run("nft", "delete table ip cut", check=False)


def programs(build, folder):
    """The built programs where each machine has them: /opt."""
    shutil.copytree(build / "lib/hanaper", folder / "opt/lib/hanaper")
    (folder / "opt/bin").mkdir()
    for program in ("hanaper", "hanaperd"):
        shutil.copy(build / "bin" / program, folder / "opt/bin")
    shutil.copy(HERE / "systemctl", folder / "opt/bin")
