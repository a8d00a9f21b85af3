"""A client of FTPS of somebody else's making: Python's."""

import ftplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.ftps_server import FtpsServer, Tls

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Reusing(ftplib.FTP_TLS):
    """Python's client, with the session of the control connection on data connections."""

    def ntransfercmd(self, cmd, rest=None):
        plain, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321
        assert isinstance(self.sock, ssl.SSLSocket)
        return self.context.wrap_socket(
            plain, server_hostname=self.host, session=self.sock.session
        ), size


@contextmanager
def session(
    server: FtpsServer, client: type[ftplib.FTP_TLS] = Reusing, tls: Tls | None = None
) -> Iterator[ftplib.FTP_TLS]:
    """A client that logged in over TLS, or one version of it, having checked the certificate."""
    context = ssl.create_default_context(cafile=server.ca_file)
    if tls:
        context.minimum_version = context.maximum_version = _VERSIONS[tls]
    with client(context=context, timeout=10, encoding="latin-1") as ftp:
        ftp.connect(server.host, server.port)
        ftp.login(server.user, server.password)
        ftp.prot_p()
        yield ftp


def listed(ftp: ftplib.FTP_TLS, folder: str) -> set[str]:
    """Return the names that a folder has."""
    ftp.cwd(folder)
    lines: list[str] = []
    ftp.retrlines("LIST -a", lines.append)
    return {line.split(maxsplit=8)[8] for line in lines} - {".", ".."}
