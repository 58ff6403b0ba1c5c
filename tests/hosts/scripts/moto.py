"""moto's S3, with a bucket, on a free port of an address of this machine, which it prints. It ends with its standard input:
when whoever started it is gone. Arguments: the address, the bucket and, for TLS, files with a certificate and its key."""

import os
import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.test import Client
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def end_with_owner():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_owner, daemon=True).start()
moto = DomainDispatcherApplication(create_backend_app)
address, bucket, *certificate = sys.argv[1:]
assert Client(moto).put(f"/{bucket}", base_url="http://localhost").status_code == 200
server = make_server(
    address, 0, moto, threaded=True, request_handler=Quiet, ssl_context=tuple(certificate) or None
)
print(server.server_port, flush=True)
server.serve_forever()
