"""pyftpdlib as a server of its own: python pyftpd.py PORT ROOT USER PASSWORD CERTIFICATE ID."""

import logging
import os
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import ThreadedFTPServer


class Handler(TLS_FTPHandler):  # type: ignore[misc]
    """Encrypted, or not at all."""

    tls_control_required = True
    tls_data_required = True


def main() -> None:
    """Serve until the process ends."""
    port, root, user, password, Handler.certfile, user_id = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING)
    Handler.authorizer = DummyAuthorizer()
    Handler.authorizer.add_user(user, password, root, perm="elr")
    server = ThreadedFTPServer(("127.0.0.1", int(port)), Handler)
    # What it serves it reads as somebody else, as the others do.
    Handler.ssl_context = Handler.get_ssl_context()
    os.setgroups([])
    os.setuid(int(user_id))
    server.serve_forever()


if __name__ == "__main__":
    main()
