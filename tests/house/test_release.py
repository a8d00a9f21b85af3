"""packaging/release refuses at once what could not become a release; no test here builds one."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that knows one signer, whose key lies beside it."""
    shutil.copytree(ROOT / "packaging", tmp_path / "checkout/packaging")
    for name in ("key", "mallory"):
        make = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name)
        subprocess.run(make, check=True)
    signer = (tmp_path / "key.pub").read_text()
    (tmp_path / "checkout/packaging/release-signers").write_text(f"release {signer}")
    return tmp_path / "checkout"


def release(checkout: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it from the folder of the keys, where PATH has nothing that builds."""
    return subprocess.run(
        (checkout / "packaging/release", *options),
        cwd=checkout.parent,
        env={"HOME": str(checkout.parent), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        ((), 2, "no key is named, and install.sh takes nothing unsigned"),
        (("--key",), 2, "--key names nothing"),
        (("--key", "key", "--unsigned"), 2, "--key and --unsigned contradict each other"),
        (("--unsigned", "--machine", "sparc64"), 2, "no release is built for sparc64"),
        (("--sign",), 2, "unknown option --sign"),
        (("--key", "no such file"), 1, "signs nothing"),
        (("--key", "mallory"), 1, "may not sign releases"),
    ],
)
def test_a_release_that_nobody_would_take_is_not_built(checkout, options, code, sentence):
    result = release(checkout, *options)

    error, hint = result.stderr.splitlines()[-2:]
    assert (result.returncode, sentence in error) == (code, True), result.stderr
    assert (error[:7], hint[:6]) == ("error: ", "hint: ")
    assert sorted(path.name for path in checkout.iterdir()) == ["packaging"]


@pytest.mark.parametrize("options", [("--key", "key"), ("--unsigned",)])
def test_a_right_key_and_none_where_none_is_wanted_get_as_far_as_the_compiler(checkout, options):
    result = release(checkout, *options)

    assert result.stderr.startswith("error: the engine is built with cargo, and there is none")
    assert sorted(path.name for path in checkout.iterdir()) == ["packaging"]
