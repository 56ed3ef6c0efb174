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


def run(kind, words):
    """The command's status, and how the server ended by itself, or None."""
    with servers.running(kind, os.environ.get("HANAPER_DATABASE_FOLDER")) as server:
        settings = server.settings()
        for name, value in settings.items():
            words = [word.replace("{" + name + "}", value) for word in words]
        environment = {f"HANAPER_DATABASE_{name.upper()}": value for name, value in settings.items()}
        status = subprocess.run(words, env={**os.environ, **environment}).returncode
        if (ended := server.process.poll()) is not None:
            print(f"{kind} ended by itself, with {ended}:\n{(server.folder / 'log').read_text(errors='replace')[-4000:]}", file=sys.stderr)
        return status, ended


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in servers.KINDS:
        sys.exit(__doc__)
    kind, words = sys.argv[1], sys.argv[2:]
    # An end from outside ends the server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        status, ended = run(kind, words)
        # MariaDB 10.11 ends now and then in ha_maria::drop_table, where it drops a temporary table that it has not opened: what
        # happens to us then is no finding of ours. Once more, and loudly.
        if status != 0 and ended is not None and ended < 0:
            print(f"{kind} was ended by signal {-ended}, which nobody sent: all is run again with another", file=sys.stderr)
            status, ended = run(kind, words)
        return status
    except servers.Missing as missing:
        print(f"SKIP {kind}: {missing}")
        return 77


sys.exit(main())
