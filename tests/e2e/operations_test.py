#!/usr/bin/python3
"""Operations by their doors: who asked is what the kernel says; reload and check --deep; errors and lists as JSON; completion."""
import base64
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

from harness import BASE, HANAPER, ROOT, Control, Failed, Node, main, make_csr, only

CRL = BASE + """
[protocol.crl]
listener = "plain"
path = "/crl"
authorities = ["root", "issuing"]

[protocol.ocsp]
listener = "plain"
path = "/ocsp"
authorities = ["issuing"]
"""
CLAIMS = ("user", "caller", "uid", "login", "requester", "permissions", "scope", "as", "on_behalf_of")
LOGIN = 12345


def may_set_login():
    """Whether this test may log somebody in, as far as the kernel is concerned."""
    done = subprocess.run([sys.executable, "-c", f"open('/proc/self/loginuid','w').write('{LOGIN}')"], capture_output=True)
    return os.geteuid() == 0 and done.returncode == 0


def log_in():
    pathlib.Path("/proc/self/loginuid").write_text(str(LOGIN))


class ForgedCallers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node(CRL).init().start()
        cls.addClassCleanup(cls.node.close)
        document = json.loads(cls.node.out("openapi"))
        cls.ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
        cls.ids += ["backup", "ocsp.export"]  # those that are not asked for by HTTP
        cls.me = f"command:uid:{os.geteuid()}"

    def audited(self, event):
        lines = [json.loads(line) for line in self.node.out("audit", "tail", "--lines", "50").splitlines()]
        return [line for line in lines if line["event"] == event][-1]

    def test_no_operation_takes_a_word_on_who_asks(self):
        self.assertGreater(len(self.ids), 25)
        control = Control(self.node)
        self.addCleanup(control.close)
        for operation in self.ids:
            for claim in CLAIMS:
                if (operation, claim) == ("list", "requester"):
                    continue  # narrows the list to what somebody asked for; that says nothing about who lists
                with self.assertRaises(Failed, msg=f"{operation} {claim}") as refused:
                    control.run(operation, **{claim: "uid:4242 (somebody else)"})
                self.assertIn(f'malformed: there is no argument "{claim}"', str(refused.exception))

    def test_headers_say_nothing_about_who_asks(self):
        _, csr = make_csr(self.node.folder, ["headers.example.test"])
        control = Control(self.node)
        self.addCleanup(control.close)
        body = json.dumps({"operation": "issue", "arguments": {"csr": base64.b64encode(csr.read_bytes()).decode()},
                           "user": "uid:4242", "caller": {"name": "uid:4242"}}).encode()
        claims = "".join(f"{name}: uid:4242 (somebody else)\r\n" for name in
                         ("X-Forwarded-User", "X-Remote-User", "Remote-User", "Forwarded", "X-Forwarded-For", "From", "Authorization", "Cookie"))
        control.socket.sendall(f"POST /?user=uid:4242 HTTP/1.1\r\nHost: control\r\n{claims}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self.assertIn(b"200", control.file.readline())
        self.assertTrue(self.audited("sign.intent")["requester"].startswith(self.me), self.audited("sign.intent"))

    def test_the_audit_names_the_user_with_his_name(self):
        out = self.node.folder / "a.pem"
        self.node.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key", "--out", out)
        self.node.out("revoke", out)
        for event in ("sign.intent", "revoked"):
            self.assertRegex(self.audited(event)["requester"], rf"^{self.me} \([^)]+\)$")

    @unittest.skipUnless(may_set_login(), "login-uid: the kernel does not let this test set a login uid")
    def test_the_audit_names_who_has_logged_in_too(self):
        out = self.node.folder / "b.pem"
        self.node.out("issue", "--name", "b.example.test", "--key-out", self.node.folder / "b.key", "--out", out, preexec_fn=log_in)
        self.assertRegex(self.audited("sign.intent")["requester"], rf"^{self.me} \([^)]+\), login uid:{LOGIN}$")

    @unittest.skipUnless(os.geteuid() == 0, "root: needed to become somebody else")
    def test_nobody_else_is_answered(self):
        os.chmod(self.node.folder, 0o755)
        os.chmod(self.node.state, 0o755)
        os.chmod(self.node.state / "control.sock", 0o777)
        try:
            said = self.node.run("list", "--json", status=None, user=65534, group=65534)
            self.assertNotEqual(said.returncode, 0)
        finally:
            os.chmod(self.node.state / "control.sock", 0o600)
            os.chmod(self.node.state, 0o700)

    def test_an_operation_that_there_is_not(self):
        control = Control(self.node)
        self.addCleanup(control.close)
        with self.assertRaisesRegex(Failed, 'unsupported: no instance of this node\'s configuration brings the operation "scep.challenge"'):
            control.run("scep.challenge")


class CallersWithoutDaemon(unittest.TestCase):
    @unittest.skipUnless(may_set_login(), "login-uid: the kernel does not let this test set a login uid")
    def test_the_audit_names_who_has_logged_in(self):
        with Node().init() as node:
            node.out("issue", "--name", "b.example.test", "--key-out", node.folder / "b.key", preexec_fn=log_in)
            lines = [json.loads(line) for line in node.out("audit", "tail").splitlines()]
            self.assertIn(f", login uid:{LOGIN}", [line for line in lines if line["event"] == "sign.intent"][-1]["requester"])


class Reload(unittest.TestCase):
    def setUp(self):
        self.node = Node().init().start()
        self.addCleanup(self.node.close)

    def test_it_waits_and_says_what_changes_now_and_what_later(self):
        self.assertEqual(self.node.out("reload"), "nothing changed\n")
        self.node.write_config(BASE.replace('lifetime = "90d"', 'lifetime = "10d"').replace('drain = "5s"', 'drain = "6s"'))
        told = self.node.out("reload").splitlines()
        self.assertIn("profile.web: applied", told)
        self.assertIn("node: takes effect at the next start", told)
        # It has waited: the next certificate is of the new profile.
        self.node.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key")
        self.assertEqual(len(self.node.items("list", "--expires-within", "11d")), 1)
        self.assertIn('configuration read again change="profile.web: applied"', self.node.log_text())

    def test_the_same_as_json(self):
        self.node.write_config(BASE.replace('lifetime = "90d"', 'lifetime = "10d"'))
        self.assertEqual(self.node.items("reload"), [{"table": "profile.web", "outcome": "applied"}])

    def test_a_refusal_is_status_1_and_leaves_everything_as_it_was(self):
        for broken in ("[node\n", BASE.replace('authority = "issuing"', 'authority = "nobody"').format(
                state=self.node.state, https=self.node.https, http=self.node.http, challenge=self.node.challenge)):
            self.node.config.write_text(broken)
            control = Control(self.node)
            with self.assertRaisesRegex(Failed, r"malformed: .*pki.toml:\d+:\d+: "):
                control.run("reload")
            control.close()
        self.assertEqual(self.node.get("/health/ready")[0], 200)
        self.node.write_config(BASE)
        self.assertEqual(self.node.out("reload"), "nothing changed\n")

    def test_many_at_once_and_signals_between_them(self):
        processes = [subprocess.Popen([HANAPER, "reload", "-c", self.node.config], stdout=subprocess.PIPE, text=True) for _ in range(8)]
        for _ in range(8):
            self.node.signal(signal.SIGHUP)
            time.sleep(0.01)
        for process in processes:
            self.assertEqual(process.communicate(timeout=60)[0], "nothing changed\n")
            self.assertEqual(process.returncode, 0)
        self.assertEqual(self.node.stop(), 0)

    def test_without_a_daemon_there_is_nothing_to_reload(self):
        self.node.stop()
        self.assertIn("no daemon answers at", self.node.error("reload"))


def everything_below(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
            for path in sorted(folder.rglob("*"))}


class CheckDeep(unittest.TestCase):
    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.close)

    def test_before_init_it_says_what_is_missing_and_makes_nothing(self):
        self.node.state.mkdir(mode=0o700)
        (self.node.state / "pin").write_text("a-pin-of-some-length\n")
        (self.node.state / "pin").chmod(0o600)
        before = everything_below(self.node.state)
        done = self.node.run("check", "--deep", status=None)
        self.assertEqual(everything_below(self.node.state), before)
        if done.returncode == 0:
            self.assertRegex(done.stdout, "would be made|would get its tables")

    @only(storage="sqlite", keys="softtoken")
    def test_a_database_that_is_gone_is_not_made(self):
        self.node.init()
        for path in self.node.state.glob("hanaper.db*"):
            path.unlink()
        self.assertIn("hanaper.db does not exist and would be made", self.node.out("check", "--deep"))
        self.assertEqual(list(self.node.state.glob("hanaper.db*")), [])

    def test_no_state_folder(self):
        if (self.node.state).exists():
            self.skipTest("setup: it is there already")
        self.assertIn(self.node.run("check", "--deep", status=None).returncode, (1, 2))
        self.assertFalse(self.node.state.exists())

    def test_a_start_that_would_work(self):
        self.node.init()
        rows = self.node.items("storage", "check")
        out = self.node.out("check", "--deep")
        self.assertIn("listener.public.certificate: there is none that is good; one would be issued\n", out)
        self.assertIn("ok, 1 pipelines, 2 authorities, 2 listeners", out)
        self.assertFalse((self.node.state / "tls").exists())
        self.assertEqual(self.node.items("storage", "check"), rows)
        self.node.start()
        self.node.stop()
        self.assertEqual(self.node.json("check", "--deep")["notes"], [])

    def test_beside_a_daemon_it_says_so_and_looks_all_the_same(self):
        self.node.init().start()
        self.assertIn("a daemon runs here", self.node.out("check", "--deep"))
        self.assertEqual(self.node.get("/health/ready")[0], 200)
        self.node.write_config(BASE.replace("CN=Test Issuing CA", "CN=Another Name"))
        self.assertIn('the certificate says "CN=Test Issuing CA", the configuration "CN=Another Name"', self.node.error("check", "--deep", status=2))

    def test_it_fails_as_the_start_would(self):
        self.node.init()
        cases = [(BASE.replace("CN=Test Issuing CA", "CN=Another Name"), 'the certificate says "CN=Test Issuing CA"', 2),
                 (BASE.replace('lifetime = "90d"', 'lifetime = "90d"\nkey_usages = ["key-agreement"]'), "lint rsa-key-usage", 2),
                 (BASE + """
[authority.new]
key = "soft:new"
subject = "CN=New"

[pipeline.more]
authority = "new"
profiles = ["web"]
""", "authority new has no certificate yet; run hanaper init", 1),
                 (BASE.replace("[outbound]", '[outbound]\ntrust_anchors = "nowhere"'), "outbound.trust_anchors: ", 2)]
        for config, why, status in cases:
            self.node.write_config(config)
            self.assertIn(why, self.node.error("check", "--deep", status=status))
            self.assertIn(why, self.node.failed_start(status))
        self.node.write_config(BASE)
        self.node.execute("UPDATE schema_version SET number = 999")
        self.assertRegex(self.node.error("check", "--deep", status=2), r" has schema 999; this program knows up to \d+: install the newer program")

    @only(keys="softtoken")
    def test_a_wrong_pin(self):
        self.node.init()
        (self.node.state / "pin").write_text("another-pin-of-that-length\n")
        self.assertIn("keys.soft: ", self.node.error("check", "--deep", status=2))


class Json(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node(CRL).init()
        cls.addClassCleanup(cls.node.close)

    def refused(self, *words, status=1):
        done = self.node.run(*words, "--json", status=status)
        self.assertEqual(done.stdout, "")
        error = json.loads(done.stderr)["error"]
        self.assertEqual(sorted(error), ["code", "detail"])
        return error["code"], error["detail"]

    def test_errors_are_objects_on_standard_error(self):
        self.assertEqual(self.refused("show", "ff00"), ("not_found", "no certificate with serial number 00ff00"))
        self.assertEqual(self.refused("crl", "show", "nobody")[0], "not_found")
        self.assertEqual(self.refused("issue", status=2)[0], "malformed")
        self.assertEqual(self.refused("frob", status=2)[0], "malformed")
        self.assertEqual(self.refused("list", "--limit", "0", status=2), ("malformed", "--limit: 0 is not within 1..1000000000; see hanaper help list"))
        self.assertEqual(self.refused("check", "--set", "node.frob=1", status=2)[0], "malformed")

    def test_lists_have_one_shape(self):
        self.node.out("crl", "generate")
        for words in (["list"], ["serials"], ["keys", "list"], ["audit", "verify"], ["audit", "tail"], ["requests", "list"], ["crl", "list"],
                      ["acme", "accounts"], ["plan"], ["plugins"], ["sample"], ["sample", "protocol.acme"], ["storage", "check"], ["init"]):
            answer = self.node.json(*words)
            self.assertEqual(sorted(answer), ["items"], words)
            self.assertIsInstance(answer["items"], list, words)
        self.assertEqual(self.node.json("check")["pipelines"], 1)
        self.assertEqual(self.node.json("storage", "migrate")["storage"], "storage.main")
        self.assertEqual({key["key"]: key["type"] for key in self.node.items("sample", "protocol.acme")}["pipeline"], "reference")

    def test_a_list_goes_on_behind_what_next_says(self):
        for i in range(5):
            self.node.out("issue", "--name", f"n{i}.example.test", "--key-out", self.node.folder / f"{i}.key")
        self.node.start()
        self.addCleanup(self.node.kill)
        everything = [row["serial"] for row in self.node.items("list")]
        self.assertEqual([row["serial"] for row in self.node.items("list", "--limit", "3")], everything[:3])
        control = Control(self.node)
        self.addCleanup(control.close)
        seen, arguments = [], {"limit": 2}
        while True:
            page = control.run("list", **arguments)
            seen += [row["serial"] for row in page["items"]]
            if "next" not in page:
                break
            arguments["after"] = page["next"]
        self.assertEqual(seen, everything)
        with self.assertRaisesRegex(Failed, 'malformed: after: is no "next" of a list'):
            control.run("list", after="1,2")

    def test_a_download_goes_to_standard_output_or_to_a_file(self):
        self.node.out("crl", "generate")
        out = self.node.folder / "issuing.crl"
        der = self.node.run("crl", "download", "issuing", text=False).stdout
        self.node.out("crl", "download", "issuing", "--out", out)
        self.assertEqual(out.read_bytes(), der)
        shown = self.node.json("crl", "show", "issuing")
        self.assertEqual(hashlib.sha256(der).hexdigest(), shown["sha256"])
        self.assertTrue(self.node.out("crl", "download", "issuing", "--pem").startswith("-----BEGIN X509 CRL-----\n"))
        self.assertIn("no CRL of an authority", self.node.error("crl", "download", "nobody"))
        self.assertIn("there is no such CRL", self.node.error("crl", "download", "issuing", "--delta"))


class Completion(unittest.TestCase):
    def complete(self, *words):
        script = f'source <("{HANAPER}" completion -c /no/such/file); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hanaper; printf "%s\\n" "${{COMPREPLY[@]}}"'
        done = subprocess.run(["bash", "-c", script, "bash", "hanaper", *words], capture_output=True, text=True, cwd="/proc/self", timeout=60)
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def test_words_options_and_values_at_every_place(self):
        self.assertLessEqual({"issue", "crl", "acme", "keys", "reload", "help"}, self.complete(""))
        self.assertEqual(self.complete("rel"), {"reload"})
        self.assertEqual(self.complete("crl", ""), {"generate", "list", "show", "download"})
        self.assertEqual(self.complete("acme", "eab", "re"), {"revoke"})
        self.assertEqual(self.complete("audit", ""), {"accept-clock", "verify", "tail"})
        self.assertEqual(self.complete("storage", ""), {"migrate", "check", "copy"})
        self.assertEqual(self.complete("help", "ocsp", ""), {"export"})
        self.assertEqual(self.complete("crl", "show", "issuing", "--d"), {"--delta"})
        self.assertEqual(self.complete("keys", "create", "soft:x", "--key-type", "ed"), {"ed25519"})
        self.assertEqual(self.complete("issue", "--key-type", "rsa-3"), {"rsa-3072"})
        self.assertEqual(self.complete("requests", "list", "--state", "d"), {"denied"})
        self.assertEqual(self.complete("revoke", "--reason", "key"), {"keyCompromise"})
        self.assertIn("cmdline", self.complete("issue", "--csr", "cmd"))  # a file of the folder
        self.assertEqual(self.complete("issue", "--profile", ""), set())  # anything, and nothing that we know
        self.assertIn("cmdline", self.complete("show", "cmd"))
        self.assertIn("notifier", self.complete("new-plugin", ""))


class OpenApi(unittest.TestCase):
    document = json.loads((ROOT / "host" / "operations" / "openapi.json").read_text())

    def test_it_is_valid(self):
        try:
            import openapi_spec_validator
        except ImportError:
            self.skipTest("openapi-spec-validator: it is not installed: nobody has looked at openapi.json")
        openapi_spec_validator.validate(self.document)

    def test_what_it_refers_to_is_there(self):
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                self.assertIn(method, ("get", "post", "put", "delete"))
                names = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
                self.assertEqual(names, {part[1:-1] for part in path.split("/") if part.startswith("{")}, path)
                self.assertIn(":", operation["x-permission"])
                self.assertEqual(operation["responses"]["default"], {"$ref": "#/components/responses/Problem"})


if __name__ == "__main__":
    main()
