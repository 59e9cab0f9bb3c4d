# SPDX-License-Identifier: Apache-2.0
"""Handling the agent's SIGTERM, in separate processes."""

import subprocess
import sys

BEGIN = """
import os, signal, sys, threading
from ceilometer_memballoon import shutdown
signalled = threading.Event()
"""


def run(script):
    return subprocess.run(
        [sys.executable, "-c", BEGIN + script],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_callback_runs_beside_the_existing_handler():
    done = run("""
signal.signal(signal.SIGTERM, lambda number, frame: print("handled", signalled.wait(30)))
shutdown.on_sigterm(signalled.set)
os.kill(os.getpid(), signal.SIGTERM)
""")
    assert (done.returncode, done.stdout) == (0, "handled True\n")


def test_process_without_a_handler_ends_as_before():
    done = run("""
shutdown.on_sigterm(signalled.set)
os.kill(os.getpid(), signal.SIGTERM)
signalled.wait(30)
""")
    assert done.returncode == -15


def test_outside_the_main_thread_nothing_is_done():
    done = run("""
signal.signal(signal.SIGTERM, handler := lambda number, frame: None)
thread = threading.Thread(target=shutdown.on_sigterm, args=(signalled.set,))
thread.start()
thread.join()
print(signal.getsignal(signal.SIGTERM) is handler)
""")
    assert done.stdout == "True\n"
