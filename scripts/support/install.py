"""Installs what a check needs into a folder of its own, once: what is there already is used again."""

import os
import subprocess
import sys

INSTALL_TIMEOUT_S = 900


class Unavailable(Exception):
    """Something could not be installed here; the message says what and why."""


def run(command, what):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{what}: {error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Unavailable(f"{what}: {' '.join(last) or f'exit status {done.returncode}'}")
    return done.stdout


def python_environment(folder, packages):
    """A virtual environment with `packages`; returns its Python."""
    python = os.path.join(folder, "bin", "python3")
    mark = os.path.join(folder, "installed.txt")
    wanted = "\n".join(packages)
    if os.path.exists(mark) and open(mark, encoding="utf-8").read() == wanted:
        return python
    run([sys.executable, "-m", "venv", folder], "a Python environment")
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], " ".join(packages))
    with open(mark, "w", encoding="utf-8") as file:
        file.write(wanted)
    return python


def npm_program(folder, package, program):
    """The folder that holds `program` of an npm package."""
    programs = os.path.join(folder, "node_modules", ".bin")
    path = os.path.join(programs, program)
    if not os.path.exists(path):
        run(["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, package], package)
    run([path, "--version"], f"{program} --version")
    return programs
