"""pyftpdlib as a program of its own, told everything by a JSON file: pyftpd.py SETTINGS."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


def _context(settings: dict[str, Any]) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(_VERSIONS[settings["oldest_tls"]])
    context.set_max_proto_version(_VERSIONS[settings["newest_tls"]])
    context.use_certificate_chain_file(settings["chain"])
    context.use_privatekey_file(settings["key"])
    return context


def _handler(settings: dict[str, Any]) -> Any:
    """Return pyftpdlib's own handler, told what it needs, as its documents do it."""
    authorizer = DummyAuthorizer()
    authorizer.add_user(settings["user"], settings["password"], settings["root"], perm="elr")
    handler = TLS_FTPHandler
    handler.authorizer = authorizer
    handler.ssl_context = _context(settings)
    handler.tls_control_required = handler.tls_data_required = True
    handler.auth_failed_timeout = 0
    handler.timeout = settings["idle_seconds"]
    return handler


def main() -> None:
    """Serve until killed, as the user that the settings name."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    logging.basicConfig(level=logging.INFO)
    server = ThreadedFTPServer(("127.0.0.1", settings["port"]), _handler(settings))
    server.max_cons_per_ip = settings["connections_per_address"]
    os.setgroups([])
    os.setgid(settings["user_id"])
    os.setuid(settings["user_id"])
    server.serve_forever()


if __name__ == "__main__":
    main()
