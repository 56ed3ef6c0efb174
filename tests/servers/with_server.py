#!/usr/bin/python3
"""Runs a command with a throw-away database server.

    with_server.py mariadb|postgresql COMMAND [WORD...]

In the words, {host} {port} {socket} {database} {user} {password} {password_file} {ca} {pid} and {reset} (a shell
command that empties the database) and {sql} (one that wants a statement as its last word) are replaced; the same are in the environment as HANAPER_DATABASE_HOST and so on,
and the kind as HANAPER_DATABASE_KIND. Ends with the command's status; with 77 when the server is not installed.
HANAPER_DATABASE_FOLDER says where the data goes, when not under TMPDIR.
"""
import os
import signal
import subprocess
import sys

import servers


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in servers.KINDS:
        sys.exit(__doc__)
    kind, words = sys.argv[1], sys.argv[2:]
    # An end from outside ends the server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with servers.running(kind, os.environ.get("HANAPER_DATABASE_FOLDER")) as server:
            settings = server.settings()
            for name, value in settings.items():
                words = [word.replace("{" + name + "}", value) for word in words]
            environment = {f"HANAPER_DATABASE_{name.upper()}": value for name, value in settings.items()}
            return subprocess.run(words, env={**os.environ, **environment}).returncode
    except servers.Missing as missing:
        print(f"SKIP {kind}: {missing}")
        return 77


sys.exit(main())
