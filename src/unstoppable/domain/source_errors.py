"""Errors of a source on a server; as in `errors`."""

from unstoppable.domain.errors import (
    SettingMissing,
    SourceLost,
    SourceUnavailable,
    UnstoppableError,
    UsageError,
)


class PasswordMissing(SettingMissing):
    """No password for the server that the source is on."""

    sentence_form = "{name} is not set, and the source is {source}"
    hint_form = "set it in {env_file}, best as {name}_FILE; the server's administrator gives it"


class PasswordInvalid(UsageError):
    """A password that FTP cannot send; its value is never told."""

    sentence_form = "{name} is no password that FTP can send: {reason}"
    hint_form = "have the server's administrator give another one, of letters and digits say"


class CertificatesUnreadable(UnstoppableError):
    """The certificates to trust for the server cannot be read."""

    sentence_form = "{path} cannot be read: {cause}"
    hint_form = "set UNSTOPPABLE_SOURCE_CA_FILE to a file with the certificates, as PEM"


class SourceIsNoServer(UsageError):
    """Something was asked of a server where the source is a folder."""

    sentence_form = "the source is the folder {source}, not on a server"
    hint_form = "name the server, as ftps://user@host/path, or set UNSTOPPABLE_SOURCE to it"


_CHECK = "`unstoppable source check` tells more"
_WAYS_OUT = {
    "cannot log in": "is the user right, and UNSTOPPABLE_SOURCE_PASSWORD that user's?",
    "not trusted": (
        "a certificate of its own, or of an authority of its own, needs UNSTOPPABLE_SOURCE_PIN or "
        "UNSTOPPABLE_SOURCE_CA_FILE; `unstoppable source pin` prints the pin"
    ),
    "another certificate": "is somebody in between? ask the server's administrator",
    "words of his own": "is somebody in between? ask the server's administrator",
    "not on the internet": "if it should lead there, set UNSTOPPABLE_SOURCE_ALLOW_PRIVATE=yes",
    "leads nowhere": "is the name of the server right, and does the network work?",
    "cannot enter the folder": "is the path in UNSTOPPABLE_SOURCE right, as the user sees it?",
    "encrypted": "have the server offer explicit TLS (AUTH TLS, PROT P); plain FTP is never used",
    "cannot connect": "are host and port right, and does the server let this machine in?",
    "nothing for": "do the server's passive ports pass its firewall? " + _CHECK,
    "data connection": "do the server's passive ports pass its firewall? " + _CHECK,
}
"""By what the engine or the server says."""


class ServerUnavailable(SourceUnavailable):
    """A source on a server that cannot be read."""

    @property
    def hint(self) -> str:
        """What to do about it, by what was said."""
        cause = str(self.facts["cause"])
        return next((way for mark, way in _WAYS_OUT.items() if mark in cause), _CHECK)


class ServerLost(SourceLost):
    """A server went away while its files were read."""

    hint_form = "the next run goes on from there; " + _CHECK


class SourceFaulty(UnstoppableError):
    """A source on a server of which a part cannot be backed up as it is."""

    sentence_form = "{problems} with {source}"
    hint_form = "each is told above, with the server's own words; its administrator can mend them"
