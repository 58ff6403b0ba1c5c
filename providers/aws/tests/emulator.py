"""moto's S3 on a free loopback port, which it prints. It ends with its standard input: when whoever started it is gone."""

import os
import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def end_with_owner():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_owner, daemon=True).start()
server = make_server(
    "127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True, request_handler=Quiet
)
print(server.server_port, flush=True)
server.serve_forever()
