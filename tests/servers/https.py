"""A server of HTTP on loopback, with TLS or without, each connection in a thread of its own."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.servers.s3 import Certificate


class HttpsServer(ThreadingHTTPServer):
    """Ends with the test, whatever a connection waits for."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], certificate: Certificate | None
    ) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.certificate = certificate
        self.over = threading.Event()
        scheme, self._tls = "http", None
        if certificate:
            scheme, self._tls = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate.chain, certificate.key)
        self.address = f"{scheme}://127.0.0.1:{self.server_port}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Speak TLS in the connection's own thread, so that nobody waits for a slow one."""
        if self._tls:
            try:
                request = self._tls.wrap_socket(request, server_side=True)
            except OSError:
                return
        try:
            super().finish_request(request, client_address)
        finally:
            request.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that ended."""
