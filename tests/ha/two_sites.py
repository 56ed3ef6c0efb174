"""A pair of sites and an arbiter, set up by what examples/howto/two-sites.md says, and how to look at it."""
import json
import pathlib
import re
import subprocess
import sys
import threading
import time

from machines import FLOATING, HERE, ADDRESSES, Failed, Machine, Place, Switch, dies_with_us, programs, run, until

ROOT = HERE.parents[1]
PAGE = ROOT / "examples/howto/two-sites.md"
# What the lab has otherwise than a pair for years: how much of the past the database keeps for a site that was away.
LESS = ("gcache.size=1G", "gcache.size=64M")


def blocks(name):
    """What the page says below <!-- lab: NAME -->: pairs of machine and commands, up to the next such line."""
    found, label, machine, lines = [], None, None, []
    for line in PAGE.read_text().split("\n"):
        if mark := re.fullmatch(r"<!-- lab: (\S+) -->", line):
            label = mark[1]
        elif machine is None and (fence := re.fullmatch(r"```([abc])", line)):
            machine, lines = fence[1], []
        elif machine is not None and line == "```":
            if label == name:
                found.append((machine, "\n".join(lines)))
            machine = None
        elif machine is not None:
            lines.append(line)
    if not found:
        raise Failed(f"{PAGE.name}: nothing for {name}")
    return found


def together(*actions):
    """Runs them at the same time; the first error of them."""
    errors = []

    def guarded(action):
        try:
            action()
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=guarded, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class Pair:
    def __init__(self, folder, build):
        self.folder = folder
        programs(build, folder)
        self.switch, self.client, self.machines = Switch(), None, {}

    def close(self):
        for place in [*self.machines.values(), self.client, self.switch]:
            if place is not None:
                place.close()

    def __getattr__(self, name):
        if name in ("a", "b", "c"):
            return self.__dict__["machines"][name]
        raise AttributeError(name)

    def do(self, name):
        """What the page says, where it says that."""
        for machine, commands in blocks(name):
            if commands.startswith("# carried: "):
                first, _, commands = commands.partition("\n")
                source, file = first.removeprefix("# carried: ").split(":")
                (self.machines[machine].folder / "run/home" / file).write_bytes((self.machines[source].folder / "run/home" / file).read_bytes())
            self.machines[machine].run("bash", "-euo", "pipefail", "-c", commands, seconds=200)

    def set_up(self):
        hanaper = self.folder / "opt/bin/hanaper"
        words = [word for name in ("a", "b", "c") for word in ("--" + name, ADDRESSES[name])] + [word for name, at in FLOATING.items() for word in ("--" + name, at)]
        run(hanaper, "ha", "templates", "--out", self.folder / "sites", *words)
        for site in "ab":
            galera = self.folder / f"sites/{site}/etc/mysql/mariadb.conf.d/90-galera.cnf"
            text = galera.read_text()
            if LESS[0] not in text:
                raise Failed(f"{galera}: has no {LESS[0]}")
            galera.write_text(text.replace(*LESS))
        for name in "abc":
            machine = self.machines[name] = Machine(name, self.folder, self.switch)
            machine.switch_on()
            run("cp", "-r", self.folder / "sites", machine.folder / "run/home/sites")
            if name != "c":  # as Debian's package leaves it
                machine.run("mariadb-install-db", "--user=mysql", "--skip-test-db")
        self.client = Place("client")
        self.switch.plug_in(self.client)
        self.do("set-up")
        # For the clients: whom they trust, one who may enrol, a certificate that stays good.
        (self.folder / "root.pem").write_text(self.a.hanaper("show", "--authority", "root", "--pem"))
        line = self.a.hanaper("accounts", "line", "lab", "--ra", "--token", "/var/lib/hanaper/lab-token")
        (self.folder / "token").write_bytes((self.folder / "a/state/lab-token").read_bytes())
        for site in (self.a, self.b):
            site.run("sh", "-c", 'printf "%s" "$0" >> /etc/hanaper/accounts', line)
        self.a.hanaper("issue", "--pipeline", "servers", "--name", "good.example.test", "--key-out", "/var/lib/hanaper/good.key", "--out", "/var/lib/hanaper/good.pem")
        (self.folder / "issuing.pem").write_text(self.a.hanaper("show", "--authority", "issuing", "--pem"))
        run("openssl", "ocsp", "-issuer", self.folder / "issuing.pem", "-cert", self.folder / "a/state/good.pem", "-no_nonce", "-reqout", self.folder / "good.ocsp")

    # What is where.
    def holders(self, floating):
        return [name for name in "ab" if self.machines[name].has(floating)]

    def is_whole(self):
        if not all(self.machines[name].is_on() for name in "abc"):
            return False
        if any(self.machines[name].database() != ("Primary", 3, "Synced") for name in "ab"):
            return False
        if any(self.machines[name].track(which) != "0" for name in "ab" for which in ("issue", "status")):
            return False
        return all(len(self.holders(floating)) == 1 for floating in FLOATING) and self.holders("status") == ["a"]

    def settle(self, seconds=60):
        begun = time.monotonic()
        if not until(self.is_whole, seconds, 0.1):
            raise Failed("not whole again: " + self.describe())
        return time.monotonic() - begun

    def describe(self):
        return "; ".join(f"{name}: " + ("off" if not machine.is_on() else f"{machine.database()}, issue {machine.track('issue')}, status {machine.track('status')}, has "
                         + ",".join(floating for floating in FLOATING if machine.has(floating))) for name, machine in self.machines.items())

    def boot(self, *names, wait=True):
        """As machines do that have power again: their services in their order, each behind the one it wants."""
        for name in names:  # not in the threads: a machine dies with the thread that has begun it
            self.machines[name].switch_on()

        def one(name):
            machine = self.machines[name]
            machine.service("start", "nftables")
            if name == "c":
                machine.service("start", "garb")
                return
            machine.service("start", "mariadb", **({} if wait else {"LAB_NO_WAIT": "1"}))
            if wait:
                self.serve(name)
        together(*(lambda name=name: one(name) for name in names))

    def serve(self, name):
        self.machines[name].service("start", "hanaper")
        self.machines[name].service("start", "keepalived")

    def role(self, role="crl:issuing"):
        rows = json.loads(self.b.hanaper("roles", "--json"))["items"]
        return next((row.get("node") for row in rows if row["role"] == role), None)


class Load:
    """Clients, from their own machine, until it is ended; then what became of each request."""

    def __init__(self, pair, name):
        self.log = pair.folder / f"{name}.log"
        self.error = open(pair.folder / f"{name}.err", "w+")
        self.process = subprocess.Popen([*pair.client.enter(), sys.executable, HERE / "load.py", pair.folder, self.log], stdin=subprocess.PIPE,
                                        stdout=self.error, stderr=self.error, preexec_fn=dies_with_us)
        if not until(lambda: self.process.poll() is not None or len({entry["kind"] for entry in self.entries()}) >= 7, 15):
            raise Failed("the load does not begin: " + str({entry["kind"] for entry in self.entries()}))
        if self.process.poll() is not None:
            self.error.seek(0)
            raise Failed("the load has ended: " + self.error.read())

    def entries(self):
        if not self.log.exists():
            return []
        found = []
        for line in self.log.read_text().split("\n"):
            try:
                found.append(json.loads(line))
            except ValueError:
                pass  # being written
        return found

    def end(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.error.close()
        return [entry for entry in self.entries() if entry["kind"] != "end"]


def outage(entries, kind, begun, ended):
    """The longest time in which nobody got an answer, and how many got none."""
    good = sorted(entry["ended"] for entry in entries if entry["kind"] == kind and entry["ok"])
    points = [at for at in good if at < begun][-1:] + [at for at in good if begun <= at <= ended] + [at for at in good if at > ended][:1]
    longest = max((later - earlier for earlier, later in zip(points, points[1:])), default=ended - begun)
    failed = [entry for entry in entries if entry["kind"] == kind and not entry["ok"] and entry["ended"] >= begun and entry["begun"] <= ended]
    return longest, failed


def broken(pair, entries):
    """The invariants that do not hold, one sentence each."""
    said = []
    acked = [entry["said"] for entry in entries if entry["kind"] == "est" and entry["ok"]]
    revoked = [entry["said"] for entry in entries if entry["kind"].startswith("revoke-") and entry["ok"]]
    if len(acked) != len(set(acked)):
        said.append(f"{len(acked) - len(set(acked))} serial numbers were given out twice")
    for name in "ab":
        machine = pair.machines[name]
        known = set(machine.sql("SELECT LOWER(c.serial) FROM certificate c JOIN signature s ON s.authority = c.authority AND s.serial = c.serial", "hanaper").split())
        gone = set(machine.sql("SELECT LOWER(serial) FROM revocation", "hanaper").split())
        for what, wanted, found in (("certificates", acked, known), ("revocations", revoked, gone)):
            lost = [serial for serial in wanted if serial not in found]
            if lost:
                said.append(f"{len(lost)} acknowledged {what} are not in the database of {name}, such as {lost[0]}")
        numbers = [entry["said"] for entry in sorted(entries, key=lambda entry: entry["begun"]) if entry["kind"] == "number-" + name and entry["ok"]]
        if any(later < earlier for earlier, later in zip(numbers, numbers[1:])):
            said.append(f"CRL numbers went back on {name}")
        try:
            machine.hanaper("audit", "verify")
        except Failed as error:
            said.append(f"audit verify on {name}: {error}")
    twice = pair.a.sql("SELECT COUNT(*) - COUNT(DISTINCT authority, shard, number) FROM crl", "hanaper").strip()
    if twice != "0":
        said.append(f"{twice} CRL numbers are there twice")
    tables = pair.a.sql("SELECT GROUP_CONCAT(table_name ORDER BY table_name) FROM information_schema.tables WHERE table_schema = 'hanaper'").strip()
    sums = {}

    def equal():  # beats are written all the time
        together(*(lambda name=name: sums.__setitem__(name, pair.machines[name].sql(f"SET SESSION wsrep_sync_wait = 1; CHECKSUM TABLE {tables}", "hanaper")) for name in "ab"))
        return sums["a"] == sums["b"]
    if not until(equal, 15, 0.1):
        differ = [one.split("\t")[0] for one, other in zip(sums["a"].split("\n"), sums["b"].split("\n")) if one != other]
        said.append("the databases differ in " + ", ".join(differ))
    return said
