#!/usr/bin/python3
"""howto_fill.py SOCKET [COUNT]: has the daemon behind a control socket issue COUNT certificates, so that a page works on many."""
import base64
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

path, count = sys.argv[1], int((sys.argv[2:] or ["200"])[0] or 200)
threads = 16

with tempfile.TemporaryDirectory() as folder:
    csr = pathlib.Path(folder) / "csr"
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{folder}/key",
                    "-subj", "/", "-addext", "subjectAltName=DNS:many.example.test", "-out", csr], check=True, capture_output=True)
    request = csr.read_bytes()
body = json.dumps({"operation": "issue", "arguments": {"csr": base64.b64encode(request).decode()}}).encode()
message = b"POST / HTTP/1.1\r\nHost: control\r\nContent-Length: %d\r\n\r\n" % len(body) + body
failures = []


def issue(times):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    answers = connection.makefile("rb")
    for _ in range(times):
        connection.sendall(message)
        answers.readline()
        length = 0
        while line := answers.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        answer = json.loads(answers.read(length))
        if "error" in answer:
            failures.append(answer["error"])
            return


workers = [threading.Thread(target=issue, args=(count // threads + (i < count % threads),)) for i in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
sys.exit(str(failures[0]) if failures else 0)
