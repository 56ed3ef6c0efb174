#!/usr/bin/python3
"""fast-path, acme-nonce, ocsp-hit, tls-handshake, idle-tls: hanaperd against nginx, both on one core, interleaved in one run.

The figure is CPU time of the server for each request, from the scheduler's own count of all its threads.
"""
import base64
import http.client
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import BUILD, HANAPERD, Node, free_port  # noqa: E402

ROUNDS = 5
CONFIG = """
[node]
state = "{state}"
io_threads = 1
[listener.public]
bind = "127.0.0.1:{https}"
connections_per_address = 10000
certificate = {{ issue = "web", names = ["localhost"] }}
max_connections = 100000
[listener.plain]
bind = "127.0.0.1:{http}"
url = "https://localhost:{https}"
health = true
max_connections = 100000
[storage.main]
plugin = "sqlite"
[keys.soft]
plugin = "softtoken"
pin = {{ file = "pin" }}
[authority.root]
key = "soft:root"
subject = "CN=Bench Root"
[authority.issuing]
issuer = "root"
key = "soft:issuing"
subject = "CN=Bench Issuing CA"
[profile.web]
lifetime = "90d"
[pipeline.web]
authority = "issuing"
profiles = ["web"]
[protocol.acme]
listener = "public"
path = "/acme"
pipeline = "web"
limits = []
[protocol.ocsp]
listener = "plain"
path = "/ocsp"
authorities = ["issuing"]
[protocol.plain]
plugin = "acme"
listener = "plain"
path = "/acme"
pipeline = "web"
"""


def cpu(pid):
    """Nanoseconds that every thread of the process has run."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


def memory(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().split("\n"):
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no Rss")


def pinned(core, *words, **options):
    return subprocess.Popen(["taskset", "-c", str(core), *map(str, words)], **options)


def start_nginx(folder, node, body, filler, http, https):
    chain, key = [], []
    target = chain
    for line in (node.state / "tls" / "public.pem").read_text().split("\n"):
        if "PRIVATE KEY" in line and "BEGIN" in line:
            target = key
        target.append(line)
    (folder / "chain.pem").write_text("\n".join(chain))
    (folder / "key.pem").write_text("\n".join(key))
    quoted = body.replace("'", "\\'")
    (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 1h; default_type application/json;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{http} backlog=4096; location / {{ return 200 '{quoted}'; }} location /ocsp {{ return 200 '{filler}'; }}
    location /acme/new-nonce {{ add_header Replay-Nonce AAAAAAAAAAAAAAAAAAAAAAAAAAAA; add_header Cache-Control no-store; return 204; }} }}
  server {{ listen 127.0.0.1:{https} ssl backlog=4096; ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.3; location / {{ return 200 '{quoted}'; }} }}
}}
""")
    process = pinned(0, "nginx", "-c", folder / "nginx.conf", "-p", folder)
    for _ in range(100):
        if (folder / "pid").exists():
            return process
        time.sleep(0.05)
    raise RuntimeError("nginx does not start: " + (folder / "error.log").read_text())


def report(name, ours, reference, goal, unit):
    ratio = statistics.median(reference) / statistics.median(ours)
    spread = max(reference) / min(reference)
    verdict = "no-verdict" if spread > 1.5 else "met" if ratio >= goal else "missed"
    print(f"bench {name:13} ours={statistics.median(ours):.2f}{unit} ref={statistics.median(reference):.2f}{unit} "
          f"ratio={ratio:.3f} goal={goal:.2f} spread={spread:.2f} {verdict}", flush=True)


def per_request(pid, run):
    before = cpu(pid)
    count = run()
    return (cpu(pid) - before) / 1000 / count


def wrk(port, seconds, path="/acme/directory", script=None):
    more = ["-s", script] if script else []
    out = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", "-c64", f"-d{seconds}s", *more, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise RuntimeError(out)
    return int(re.search(r"(\d+) requests in", out).group(1))


def ocsp_request(node):
    """A request for a certificate that exists, as openssl writes it."""
    issuing, leaf, request = node.folder / "issuing.pem", node.folder / "leaf.pem", node.folder / "request.der"
    issuing.write_text(node.out("show", "--authority", "issuing", "--pem"))
    node.out("issue", "--name", "ocsp.example.test", "--key-out", node.folder / "leaf.key", "--out", leaf)
    subprocess.run(["openssl", "ocsp", "-issuer", issuing, "-cert", leaf, "-no_nonce", "-reqout", request], check=True, capture_output=True)
    return request.read_bytes()


def answer_length(node, request):
    """Asks once, so that the answer is kept from then on."""
    connection = http.client.HTTPConnection("127.0.0.1", node.http, timeout=10)
    try:
        connection.request("POST", "/ocsp", body=request, headers={"Content-Type": "application/ocsp-request"})
        return len(connection.getresponse().read())
    finally:
        connection.close()


def bench_ocsp(node, request, server, nginx, nginx_port, seconds):
    """Against nginx that returns as many octets; both methods."""
    path = "/ocsp/" + base64.b64encode(request).decode()
    script = node.folder / "post.lua"
    octets = "".join(f"\\{octet:03d}" for octet in request)
    script.write_text(f'wrk.method = "POST"\nwrk.body = "{octets}"\nwrk.headers["Content-Type"] = "application/ocsp-request"\n')
    for name, goal, where, how in (("ocsp-hit-get", 0.95, path, None), ("ocsp-hit-post", 0.90, "/ocsp", script)):
        ours, reference = [], []
        for _ in range(ROUNDS):
            reference.append(per_request(nginx.pid, lambda: wrk(nginx_port, seconds, where, how)))
            ours.append(per_request(server.pid, lambda: wrk(node.http, seconds, where, how)))
        report(name, ours, reference, goal, "us")


def handshakes(port, seconds):
    """How many the server took; a run that was cut off says why and is made again, twice at most."""
    command = ["taskset", "-c", "1", BUILD / "bin" / "load_client", "handshakes", str(port), str(seconds)]
    for _ in range(3):
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode == 0:
            return int(done.stdout)
    raise RuntimeError(f"no handshakes with port {port}")


def idle(pid, port, count):
    """Bytes for each idle connection; the server's own start-up costs are paid by a first batch that is kept open."""
    def open_connections(amount):
        client = subprocess.Popen([BUILD / "bin" / "load_client", "idle", str(port), str(amount)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if client.stdout.readline() != "open\n":
            raise RuntimeError("connections could not be opened")
        time.sleep(1)
        return client
    first = open_connections(200)
    before = memory(pid)
    second = open_connections(count)
    used = (memory(pid) - before) / count / 1024
    for client in (first, second):
        client.stdin.close()
        client.wait()
    return used


def main():
    missing = [program for program in ("nginx", "wrk", "taskset") if shutil.which(program) is None]
    if missing or (os.cpu_count() or 1) < 2:
        print(f"SKIP {missing[0]}: it is not installed, and serve_bench needs it" if missing else "SKIP cores: serve_bench needs two")
        return
    seconds = 1 if "--short" in sys.argv else 3
    with Node(CONFIG).init() as node:
        log = open(node.folder / "log", "wb")
        server = pinned(0, HANAPERD, "-c", node.config, stderr=log)
        node.process = server
        for _ in range(200):
            try:
                if node.get("/health/ready")[0] == 200:
                    break
            except OSError:
                pass
            time.sleep(0.05)
        body = node.get("/acme/directory")[1]
        folder = pathlib.Path(tempfile.mkdtemp(prefix="hanaper-nginx-"))
        http_port, https_port = free_port(), free_port()
        request = ocsp_request(node)
        filler = "x" * answer_length(node, request)
        nginx = start_nginx(folder, node, body, filler, http_port, https_port)
        try:
            ours, reference = [], []
            for _ in range(ROUNDS):
                reference.append(per_request(nginx.pid, lambda: wrk(http_port, seconds)))
                ours.append(per_request(server.pid, lambda: wrk(node.http, seconds)))
            report("fast-path", ours, reference, 0.9, "us")
            ours, reference = [], []
            for _ in range(ROUNDS):
                reference.append(per_request(nginx.pid, lambda: wrk(http_port, seconds, "/acme/new-nonce")))
                ours.append(per_request(server.pid, lambda: wrk(node.http, seconds, "/acme/new-nonce")))
            report("acme-nonce", ours, reference, 0.85, "us")
            bench_ocsp(node, request, server, nginx, http_port, seconds)
            ours, reference = [], []
            for _ in range(ROUNDS):
                reference.append(per_request(nginx.pid, lambda: handshakes(https_port, seconds)))
                ours.append(per_request(server.pid, lambda: handshakes(node.https, seconds)))
            report("tls-handshake", ours, reference, 1.1, "us")
            # Of memory less is better, and 1.2 times the reference is allowed: the ratio is turned round.
            report("idle-tls", [idle(server.pid, node.https, 2000)], [idle(nginx.pid, https_port, 2000)], 1 / 1.2, "KiB")
        except Exception:
            print((folder / "error.log").read_text()[-2000:], file=sys.stderr)
            raise
        finally:
            nginx.terminate()
            nginx.wait()
            shutil.rmtree(folder)
            log.close()


if __name__ == "__main__":
    main()
