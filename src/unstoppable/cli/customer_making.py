"""What is made for the resources of a customer: a key, a repository and its pins, of each."""

import os
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from unstoppable.cli import output
from unstoppable.cli.command import Session
from unstoppable.cli.configuration import S3_SECRET, SOURCE_PASSWORD, Configuration, real
from unstoppable.cli.customer_file import text_of
from unstoppable.cli.customer_text import NewCustomer, lacks_access_key
from unstoppable.cli.place import look_at_source
from unstoppable.cli.settings import by_operator
from unstoppable.domain.customer_errors import (
    CustomersUnreadable,
    OptionUnusable,
    RootSecretMissing,
)
from unstoppable.domain.errors import OutputFailed
from unstoppable.domain.ftps import SCHEME, FtpsSource
from unstoppable.domain.names import ResourceName
from unstoppable.domain.text import printable
from unstoppable.runner import customer_setup, lane
from unstoppable.runner.customer_setup import Root, Seen
from unstoppable.runner.files import is_there, remove_drafts, replace, write_new
from unstoppable.runner.plan import Installation
from unstoppable.runner.run import new_run
from unstoppable.runner.setup import Found
from unstoppable.secrets.reference import InFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What is to be made, and what an earlier try left of it."""

    folder: Path
    """Where the customer's keys are."""
    root: Root
    resources: Sequence[tuple[Installation, Seen]]


def has_file(path: Path) -> bool:
    """Return whether a customer's file is there; raises CustomersUnreadable."""
    try:
        return is_there(path)
    except OSError as error:
        raise CustomersUnreadable(folder=path.parent, cause=error.strerror) from error


def refuse_unfit(bundle: Path | None, password_file: Path | None, sources: Iterable[str]) -> None:
    """Raise OptionUnusable where a bundle could not be written, or nobody asks for a password."""
    if bundle is not None:
        folder = bundle.absolute().parent
        if not os.access(folder, os.W_OK | os.X_OK):
            reason = f"{folder} is no directory that this user may write into"
            raise OptionUnusable(option="--bundle", reason=reason)
    if password_file is not None and not any(source.startswith(SCHEME) for source in sources):
        reason = "no source is on a server that asks for one"
        raise OptionUnusable(option="--password-file", reason=reason)


def look_at_secrets(made: Sequence[Configuration], *, is_new: bool, is_elsewhere: bool) -> None:
    """Read what a source on a server, or a bucket of a customer who `is_new`, is opened with.

    Another machine's password may come there without a bundle. Raises what reading a secret does.
    """
    for one in made:
        is_complete = SOURCE_PASSWORD in one.given or not is_elsewhere
        if one.is_on_server and is_complete and isinstance(source := one.source, FtpsSource):
            source.password.resolve()
        secret = one.given.get(S3_SECRET)
        if is_new and secret is not None and isinstance(secret.value, InFile):
            secret.value.resolve()


def lacking(made: Sequence[Configuration], new: NewCustomer | None = None) -> list[str]:
    """Return what another machine needs that a bundle does not hold."""
    found = []
    if any(one.is_on_server and SOURCE_PASSWORD not in one.given for one in made):
        found.append("password of the server")
    if new is not None and lacks_access_key(new):
        found.append("access key of the bucket")
    return found


def look(
    named: Path | None, made: Sequence[Configuration], folder: Path, *, is_elsewhere: bool
) -> Making:
    """Return what is to be made for resources; changes nothing.

    Raises what is wrong with what is backed up, unless another machine does it and it
    `is_elsewhere`, and what is in the way of a key or a repository.
    """
    for one in () if is_elsewhere else made:
        look_at_source(one)
    root = customer_setup.root_secret(folder)
    found = [by_operator(named, one).installation() for one in made]
    seen = [(one, customer_setup.look(one, folder, root)) for one in found]
    return Making(folder=folder, root=root, resources=seen)


def look_further(
    named: Path | None, made: Configuration, folder: Path, *, is_elsewhere: bool
) -> Making:
    """Return the same for a further resource of a customer, whose root secret has to be there.

    Raises RootSecretMissing and RootSecretOther too.
    """
    path = folder / customer_setup.ROOT
    if not customer_setup.has(path):
        raise RootSecretMissing(customer=made.resource.customer, path=path)
    look_at_secrets([made], is_new=False, is_elsewhere=is_elsewhere)
    making = look(named, [made], folder, is_elsewhere=is_elsewhere)
    for installation, _ in making.resources:
        customer_setup.refuse_other_root(installation, folder, making.root)
    return making


def make_further(making: Making, finish: Callable[[], None]) -> None:
    """Make what is missing of a further resource, and `finish` while nobody else writes."""
    [(installation, _)] = making.resources
    customer_setup.set_up_resource(installation, making.folder, making.root, finish)


def make(making: Making) -> None:
    """Make what is missing; what was cut off goes on when it is made once more."""
    root = customer_setup.keep(making.root, making.folder)
    for installation, _ in making.resources:
        customer_setup.set_up_resource(installation, making.folder, root)


def tell(session: Session, making: Making, files: Sequence[str], bundle: Path | None) -> int:
    """Tell what would be made, with `files` and a bundle that come last."""
    missing = [*_missing(making), *files]
    if bundle is not None:
        missing.append(f"a bundle for another machine in {bundle}")
    if session.is_json:
        output.document({"would_make": missing})
    else:
        output.data("\n".join(f"would make {printable(what)}" for what in missing))
    return 0


def tell_again(session: Session, of: object, bundle: Path, *, dry_run: bool) -> int:
    """Tell that a bundle of what is there already was written, or would be."""
    what = f"a bundle for another machine in {bundle}"
    if session.is_json:
        output.document({"would_make": [what]} if dry_run else {"bundle": bundle})
    elif dry_run:
        output.data(f"would make {printable(what)}")
    else:
        output.data(f"written again: the bundle of {of} in {printable(str(bundle))}")
        tell_way(bundle)
    return 0


def tell_way(bundle: Path, lacking: Sequence[str] = ()) -> None:
    """Tell where a bundle goes, and what is `lacking` there."""
    command = f"unstoppable customer import {shlex.quote(printable(str(bundle)))}"
    output.say(f"note: `{command}` on the backup machine, then delete it: it holds the keys")
    for what in lacking:
        output.say(f"note: it holds no {what}: write one into the file there")


def _missing(making: Making) -> Iterator[str]:
    if making.root.is_new:
        yield f"a root secret in {making.folder / customer_setup.ROOT}"
    for one, seen in making.resources:
        if not seen.has_key:
            yield f"a key of {one.resource} in {customer_setup.key_file(one, making.folder)}"
        if seen.repository is Found.NOTHING:
            yield f"a repository in {one.places(None).cold}"
        if seen.repository is not Found.READY:
            yield f"its pins in {one.pins_file}"


def tell_files(session: Session, paths: Sequence[Path], merged: Collection[Path] = ()) -> int:
    """Tell which files would be written: those that are not there, and those that are `merged`."""
    paths = [path for path in paths if path in merged or not customer_setup.has(path)]
    if session.is_json:
        output.document({"would_write": paths})
    elif not paths:
        output.data("nothing would be written: this bundle was taken")
    else:
        output.data("\n".join(f"would write {printable(str(path))}" for path in paths))
    return 0


@contextmanager
def alone(hot: Path, resource: ResourceName) -> Iterator[None]:
    """Keep others from writing what is a customer's, and from running; raises Busy."""
    with lane.hold(lane.lane_file(hot, resource), new_run(resource)):
        yield


def write_first(path: Path, text: str) -> None:
    """Write the file of a customer who has none; only while others are kept from it.

    Raises FileExistsError, and touches nothing, where somebody wrote one; or OutputFailed.
    """
    try:
        remove_drafts(path)
        write_new(path, [text.encode()])
    except FileExistsError:
        raise
    except OSError as error:
        raise OutputFailed(cause=f"{path}: {error.strerror}") from error


class Edited(Exception):
    """A file that is not what it was when somebody thought out what it should become."""


def write(path: Path, text: str, *, former: str) -> None:
    """Write a customer's file, whole, in place of what is there; only while others are kept out.

    A link stays one, and who may read the file stays as it was. Raises Edited, and writes nothing,
    where the file does not say what it did, or is gone; or OutputFailed.
    """

    def look() -> None:
        if not has_file(path) or text_of(path) != former:
            raise Edited

    place = real(path)
    try:
        remove_drafts(place)
        replace(place, text.encode(), keeps_readers=True, look=look)
    except OSError as error:
        raise OutputFailed(cause=f"{path}: {error.strerror}") from error
