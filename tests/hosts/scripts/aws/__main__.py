"""Starts the emulator on a free port of an address of this machine, and prints the port. It ends with its standard input: when
whoever started it is gone."""

import argparse
import os
import pathlib
import sys
import threading

# Both are read when moto is loaded.
os.environ["MOTO_AMIS_PATH"] = str(pathlib.Path(__file__).with_name("images.json"))
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")

from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.test import Client  # noqa: E402

from . import clock, patches  # noqa: E402
from .emulator import Emulator  # noqa: E402
from .server import listen  # noqa: E402


def end_with_owner():
    """Waits until nobody holds the other end of standard input."""
    # Without a buffer, which this thread would hold when the program ends by itself.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)


def arguments():
    """What it is started with."""
    parser = argparse.ArgumentParser(prog="python -m aws", description=__doc__)
    parser.add_argument("address", help="where it listens")
    parser.add_argument("bucket", help="a bucket that is there from the start")
    parser.add_argument("files", nargs="*", help="for TLS: a certificate and its key")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each change of a state takes")
    parser.add_argument("--without", action="append", default=[], help="the name of a patch that is switched off")
    return parser.parse_args()


def main():
    """Serves until it ends."""
    threading.Thread(target=end_with_owner, daemon=True).start()
    asked = arguments()
    clock.delay = asked.delay
    if asked.without:
        from . import everything  # noqa: F401

        unknown = set(asked.without) - set(patches.NAMES)
        assert not unknown, f"no patches: {sorted(unknown)}"
        patches.WITHOUT.update(asked.without)
    moto = DomainDispatcherApplication(create_backend_app)
    assert Client(moto).put(f"/{asked.bucket}", base_url="http://localhost").status_code == 200
    server = listen(asked.address, Emulator(moto), asked.files)
    print(server.server_port, flush=True)
    server.serve_forever()


main()
