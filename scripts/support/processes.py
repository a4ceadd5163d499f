"""Servers a check starts: on loopback, with a bounded lifetime, ended whatever happens."""

import atexit
import os
import signal
import socket
import subprocess
import time
import urllib.request

STARTED = []


def free_port():
    """A loopback port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, log, environment, lifetime_s):
    """Starts a server in a process group of its own; `timeout` ends it even if this program is killed."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            ["timeout", "--kill-after=5", str(lifetime_s), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    STARTED.append(process)
    return process


@atexit.register
def end_all():
    """Ends every server this program started: SIGTERM to its group, five seconds, SIGKILL."""
    for process in STARTED:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
    for process in STARTED:
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    STARTED.clear()


def wait_until(what, condition, seconds, process=None):
    """Asks `condition` ten times a second until it gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{what}: the process ended with status {process.returncode}")
        answer = condition()
        if answer:
            return answer
        time.sleep(0.1)
    raise RuntimeError(f"{what}: not within {seconds} s")


def listens(port):
    """Whether somebody accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def fetch(url, method="GET", timeout_s=20):
    """The body of an HTTP answer, or None where there is no good one."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=timeout_s) as answer:
            return answer.read()
    except OSError:
        return None
