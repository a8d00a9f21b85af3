"""Bundles that somebody hostile wrote: refused with a sentence, whatever is in them."""

import tarfile

import pytest

from unstoppable.domain.customer_errors import BundleInvalid
from unstoppable.runner.bundle import read


def archive(kind: bytes, size: bytes) -> bytes:
    """Return an archive of one header, which says any size."""
    member = tarfile.TarInfo("customers/acme.toml")
    member.type = kind
    header = bytearray(member.tobuf())
    header[124:136], header[148:156] = size, b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
@pytest.mark.parametrize("size", [b"\x80" + b"\xff" * 11, b"\xff" * 12, b"7" * 11 + b"\0"])
def test_a_bundle_with_impossible_sizes_is_refused(tmp_path, kind, size):
    path = tmp_path / "acme.tar"
    path.write_bytes(archive(kind, size))

    with pytest.raises(BundleInvalid):
        read(path)
