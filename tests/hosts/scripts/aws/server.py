"""The server of HTTP before the emulator."""

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server


class _Quiet(MotoRequestHandler):
    """Says nothing, and lets connections go that are to be broken."""

    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass

    def connection_dropped(self, *_):
        self.close_connection = True


def listen(address, application, files=()):
    """A server on a free port; with TLS where there are files with a certificate and its key."""
    return make_server(
        address,
        0,
        application,
        threaded=True,
        request_handler=_Quiet,
        ssl_context=tuple(files) or None,
    )
