#!/usr/bin/python3
"""acme-order: complete orders, each of six signed requests, a validation, a CSR and a durable certificate, over kept TLS
connections, against seven verifications and one signature in a loop. The figure is CPU time of the server for each.

acme-pending: what a daemon takes in memory beside a million pending orders, and beside none, after the same work. They
are in the ledger and nowhere else: what memory holds of clients are nonces and limits, both of fixed size, and what the
storage keeps at hand (SQLite: 64 MiB to write, 8 MiB for each connection that reads), whose bounds are reached long before.
"""
import contextlib
import os
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from acme_client import Client  # noqa: E402
from harness import BASE, BUILD, Node  # noqa: E402
from serve_bench import ROUNDS, cpu, memory, report  # noqa: E402

CLIENTS = 32


def orders(node, seconds, turn):
    """Microseconds of the server for each order, how many there were, and polls beyond one for each round."""
    words = ["taskset", "-c", "1", BUILD / "bin" / "acme_load", node.https, node.challenge, CLIENTS, seconds, f"t{turn}"]
    with subprocess.Popen(list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        if client.stdout.readline() != "ready\n":
            raise RuntimeError("acme_load does not begin")
        before = cpu(node.process.pid)
        client.stdin.write("\n")
        client.stdin.flush()
        count, polls = map(int, client.stdout.readline().split())
        return (cpu(node.process.pid) - before) / 1000 / count, count, polls


def loop():
    """Microseconds of the reference while every processor is busy with it, as they are with the server and its clients."""
    running = [subprocess.Popen([BUILD / "bin" / "acme_reference", "1"], stdout=subprocess.PIPE, text=True) for _ in range(os.cpu_count() or 1)]
    return statistics.mean(float(one.communicate()[0]) for one in running)


def at_work(node, number):
    """Octets that the daemon takes after a start, some orders, a look at each, and a round of its jobs."""
    node.start(seconds=300)
    with contextlib.closing(Client(node)) as client:
        client.register()
        for i in range(300):
            order = client.order(f"p{number}-{i}.localhost")
            if client.post(order.headers["Location"]).json["status"] != "pending":
                raise RuntimeError(order.body)
        client.post(client.kid + "/orders")
    time.sleep(6)
    resident = memory(node.process.pid)
    node.stop(120)
    return resident


def multiply(node, rows, first, last):
    """Copies of what the ledger has of some orders, numbered from `first` to `last`."""
    with contextlib.closing(sqlite3.connect(node.state / "hanaper.db")) as database:
        database.execute("CREATE TEMP TABLE source (collection, item, PRIMARY KEY (collection, item))")
        database.executemany("INSERT INTO source VALUES (?, ?)", rows)
        copies = f"WITH RECURSIVE copy(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM copy WHERE n < {last}) "
        database.execute(copies + "INSERT INTO record SELECT r.collection, r.item || '-' || n, r.version, r.expires, r.data FROM copy, record r JOIN source USING (collection, item)")
        database.execute(copies + "INSERT INTO record_index SELECT i.collection, i.field, i.value, i.item || '-' || n FROM copy, record_index i JOIN source USING (collection, item)")
        database.commit()
        return database.execute("SELECT count(*) FROM record WHERE collection LIKE '%order'").fetchone()[0]


def pending(count):
    with Node(BASE).init() as node:
        at_work(node, 0)
        before = set(node.rows("record", "collection", "item"))
        none = at_work(node, 1)
        rows = [(collection.decode(), item.decode()) for collection, item in set(node.rows("record", "collection", "item")) - before]
        copies = count // 2 // sum(collection.endswith("order") for collection, _ in rows)
        multiply(node, rows, 1, copies)
        half = at_work(node, 2)
        made = multiply(node, rows, copies + 1, 2 * copies)
        whole = at_work(node, 3)
        size = (node.state / "hanaper.db").stat().st_size
        print(f"bench acme-pending  orders={made} memory={whole / 2**20:.1f}MiB, {half / 2**20:.1f}MiB beside half of them, "
              f"{none / 2**20:.1f}MiB beside none; ledger={size / made:.0f} octets each", flush=True)


def main():
    pending(50_000 if "--short" in sys.argv else 1_000_000)
    seconds = 2 if "--short" in sys.argv else 4
    with Node(BASE).init().start() as node:
        base, resident = node.rows("record", "item"), memory(node.process.pid)
        ours, reference, polls = [], [], []
        for turn in range(ROUNDS):
            reference.append(loop())
            cost, count, extra = orders(node, seconds, turn)
            ours.append(cost)
            polls.append(extra * CLIENTS / count)
        report("acme-order", ours, reference, 0.55, "us")
        made = len(node.items("acme", "orders"))
        print(f"bench acme-polls    {statistics.median(polls):.2f} per order beyond the six requests")
        print(f"bench acme-rows     documents={(len(node.rows('record', 'item')) - len(base)) / made:.2f} per order, "
              f"memory={(memory(node.process.pid) - resident) / 1024 / made:.2f}KiB per order kept", flush=True)


if __name__ == "__main__":
    main()
