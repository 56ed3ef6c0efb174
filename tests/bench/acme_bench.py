#!/usr/bin/python3
"""acme-order: complete orders, each of six signed requests, a validation, a CSR and a durable certificate, over kept TLS
connections, against seven verifications and one signature in a loop. The figure is CPU time of the server for each.
"""
import pathlib
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from acme_client import Client, Responder  # noqa: E402
from harness import BASE, BUILD, Node, b64  # noqa: E402
from serve_bench import ROUNDS, cpu, memory, report  # noqa: E402

CLIENTS = 24
PAUSE = 0.2


class Worker(threading.Thread):
    """One account that orders for one name after the other, with requests made ahead."""

    def __init__(self, node, number, responder, requests):
        super().__init__(daemon=True)
        self.client, self.responder, self.requests, self.number = Client(node), responder, requests, number
        self.client.register()
        self.thumbprint = self.client.key.thumbprint()
        self.done, self.extra, self.stop, self.failure = 0, 0, False, None

    def run(self):
        try:
            while not self.stop and self.requests:
                name, csr = self.requests.pop()
                self.one(name, csr)
                self.done += 1
        except Exception as error:
            self.failure = error

    def one(self, name, csr):
        order = self.client.order(name)
        authorization = order.json["authorizations"][0]
        challenge = next(c for c in self.client.post(authorization).json["challenges"] if c["type"] == "http-01")
        self.responder.answers[challenge["token"]] = f"{challenge['token']}.{self.thumbprint}"
        self.client.post(challenge["url"], {})
        # Clients wait a second or more before they ask; a poll too many would be a seventh request.
        time.sleep(PAUSE)
        while (status := self.client.post(authorization).json["status"]) == "pending":
            self.extra += 1
            time.sleep(PAUSE)
        if status != "valid":
            raise RuntimeError(f"authorization is {status}")
        done = self.client.post(order.json["finalize"], {"csr": b64(csr)})
        if done.json["status"] != "valid" or b"BEGIN CERTIFICATE" not in self.client.post(done.json["certificate"]).body:
            raise RuntimeError(done.body)


def orders(node, responder, requests, seconds):
    workers = [Worker(node, i, responder, requests) for i in range(CLIENTS)]
    before = cpu(node.process.pid)
    for worker in workers:
        worker.start()
    time.sleep(seconds)
    for worker in workers:
        worker.stop = True
    for worker in workers:
        worker.join()
        worker.client.close()
        if worker.failure:
            raise worker.failure
    count, extra = sum(worker.done for worker in workers), sum(worker.extra for worker in workers)
    return (cpu(node.process.pid) - before) / 1000 / count, count, extra


def main():
    seconds = 2 if "--short" in sys.argv else 4
    with Node(BASE).init().start() as node:
        responder = Responder(node.challenge)
        base, resident = node.rows("record", "item"), memory(node.process.pid)
        ours, reference, polls, total = [], [], [], 0
        for _ in range(ROUNDS):
            # Names must differ, or authorizations would be used again; the CSR costs the client, not the server.
            requests = [request(node, total + i) for i in range(seconds * 60)]
            reference.append(float(subprocess.run([BUILD / "bin" / "acme_reference", "1"], capture_output=True, text=True, check=True).stdout))
            cost, count, extra = orders(node, responder, requests, seconds)
            ours.append(cost)
            polls.append(extra / count)
            total += seconds * 60
        report("acme-order", ours, reference, 0.55, "us")
        made = len(node.json("acme", "orders"))
        print(f"bench acme-polls    {statistics.median(polls):.2f} per order beyond the six requests")
        print(f"bench acme-rows     documents={(len(node.rows('record', 'item')) - len(base)) / made:.2f} per order, "
              f"memory={(memory(node.process.pid) - resident) / 1024 / made:.2f}KiB per order kept", flush=True)
        responder.close()


def request(node, number):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    name = f"n{number}.localhost"
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
    return name, builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


if __name__ == "__main__":
    main()
