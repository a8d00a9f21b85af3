"""A hoster's machine: customers with resources, each with a repository of its own."""

import secrets
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.repositories import make_repository
from tests.servers.infisical import ENVIRONMENT, PROJECT, InfisicalServer
from tests.stories.world import DEADLINE_SECONDS, Machine, stretch
from unstoppable.domain.names import ResourceName
from unstoppable.domain.pins import write_pins

NEVER = "0 0 29 2 *"


@dataclass
class Hoster:
    """A machine whose settings file stands beside customers' files."""

    machine: Machine
    roots: dict[str, bytes] = field(default_factory=dict)
    """The root secret of each customer, which the machine does not have."""

    @property
    def customers(self) -> Path:
        return self.machine.env_file.parent / "customers"

    def add(self, customer: str, **resources: str) -> None:
        """Make a customer whose resources are due by these schedules, and their repositories."""
        self.customers.mkdir(parents=True, exist_ok=True)
        self.machine.env_file.touch(0o600)
        root = self.roots.setdefault(customer, secrets.token_bytes(32))
        tables, pins = [], {}
        for resource, schedule in resources.items():
            source = self.source(customer, resource)
            source.mkdir(parents=True)
            (source / "file").write_text(f"{customer}'s {resource}\n")
            key_file = self.machine.root / f"keys/{customer}-{resource}"
            key_file.parent.mkdir(exist_ok=True)
            name = ResourceName(customer=customer, resource=resource)
            pins[name] = make_repository(
                name, root, key_file, cold=self.machine.cold, hot=self.machine.hot
            )
            tables.append(
                f'[resources.{resource}]\nsource = "{source}"\n'
                f'repository_key = "file:{key_file}"\nschedule = "{schedule}"\n'
            )
        (self.customers / f"{customer}.toml").write_text("\n".join(tables))
        path = self.customers / f"{customer}.pins.json"
        path.write_text(write_pins(pins))
        path.chmod(0o600)

    def move_keys(self, customer: str, keeper: InfisicalServer, secret: str) -> None:
        """Have an Infisical server keep a customer's keys, for an identity of its own."""
        keeper.identity(f"identity-of-{customer}", secret)
        path = self.customers / f"{customer}.toml"
        text = path.read_text()
        for key_file in (self.machine.root / "keys").glob(f"{customer}-*"):
            name = f"{key_file.name.partition('-')[2].upper()}_KEY"
            keeper.put(f"/{customer}", **{name: key_file.read_text()})
            text = text.replace(f"file:{key_file}", f"infisical:/{customer}/{name}")
            key_file.unlink()
        secret_file = self.machine.root / f"keys/{customer}.infisical"
        secret_file.write_text(secret)
        secret_file.chmod(0o600)
        table = (
            f'[infisical]\nproject = "{PROJECT}"\nenvironment = "{ENVIRONMENT}"\n'
            f'client_id = "identity-of-{customer}"\nclient_secret = "file:{secret_file}"\n\n'
        )
        path.write_text(table + text)

    def lengthen(self, customer: str, *, gibibytes: int) -> Path:
        """Have the backup of a customer's www take a second or more for each GiB."""
        large = self.source(customer, "www") / "large"
        large.touch()
        return stretch(large, gibibytes=gibibytes)

    def source(self, customer: str, resource: str) -> Path:
        return self.machine.data / customer / resource

    def runs(self, resource: str) -> list[tuple[str, str]]:
        """Return outcomes and messages of a resource, oldest first."""
        found = self.machine.asked("runs", resource)
        return [(run["outcome"], run["message"] or "") for run in reversed(found)]


@pytest.fixture
def hoster(alice: Machine) -> Hoster:
    return Hoster(alice)


def complaints(told: subprocess.CompletedProcess[str]) -> list[str]:
    """Return what went wrong; not that confined runs cannot write what coverage measured."""
    return [line for line in told.stderr.splitlines() if "error: " in line]


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < until, "it never was so"
        time.sleep(0.3)


def wait_until_read(path: Path) -> int:
    """Wait until some process has begun to read a file, and return that process."""
    until = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < until:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile
                for descriptor in (process / "fd").iterdir():
                    if descriptor.readlink() == path:
                        return int(process.name)
    raise AssertionError("nobody reads it")
