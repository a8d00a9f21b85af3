"""`unstoppable bucket`."""
# ruff: noqa: PLC0415 - boto3 takes half a second to import: help and plan do without it

import click

from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.settings import load
from unstoppable.domain.bucket import (
    DEFAULT_LOCKED_DAYS,
    BucketPlan,
    LockMode,
    bucket_policy,
    default_lock,
    differences,
    lifecycle,
)
from unstoppable.domain.bucket_policy import (
    LEAST_LOCKED_DAYS,
    MOST_LOCKED_DAYS,
    Role,
    identity_policy,
)
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.s3 import S3Cold, S3Prefix
from unstoppable.domain.storage_errors import ColdIsNoBucket
from unstoppable.domain.text import count, printable

_WRITERS = (Role.WRITER, Role.CONVENIENT_WRITER)


class _Principal(click.ParamType[tuple[Role, str]]):
    name = "role=name"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Role, str]:
        """Return a role and who has it."""
        role, _, name = str(value).partition("=")
        if role not in set(Role) or not name:
            roles = ", ".join(Role)
            self.fail(f"{str(value)!r} is not ROLE=NAME; roles are {roles}", param, ctx)
        return Role(role), name


_principal_option = click.option(
    "--principal",
    "principals",
    type=_Principal(),
    multiple=True,
    metavar="ROLE=NAME",
    help="Who has a role, for the bucket's policy: an ARN on AWS and Ceph, a user elsewhere.",
)
_days_option = click.option(
    "--locked-days",
    type=click.IntRange(LEAST_LOCKED_DAYS, MOST_LOCKED_DAYS),
    default=DEFAULT_LOCKED_DAYS,
    show_default=True,
    help="How long a new object is locked.",
)
_mode_option = click.option(
    "--mode",
    type=click.Choice([str(mode) for mode in LockMode], case_sensitive=False),
    default=str(LockMode.COMPLIANCE),
    show_default=True,
    help="GOVERNANCE can be lifted by those with a right of its own: to try things out.",
)


@click.group()
def bucket() -> None:
    """Make and check the bucket that cold is."""


@bucket.command(cls=Speaking)
@resource_argument
@click.option("--role", type=click.Choice([str(role) for role in Role]), help="This policy alone.")
@_principal_option
@_days_option
@_mode_option
@click.pass_obj
def plan(  # noqa: PLR0913 - one for each option
    session: Session,
    *,
    asked: str | None,
    role: str | None,
    principals: tuple[tuple[Role, str], ...],
    locked_days: int,
    mode: str,
) -> int:
    """Print what the bucket should be, as JSON.

    With the least rights that each role needs there. Nothing is asked of the server.

    Example:
      unstoppable bucket plan
      unstoppable bucket plan --role writer

    Exit codes:
      0 printed    2 wrong usage, or cold is a folder
    """
    place = _place(load(session.env_file, asked))
    if role is not None:
        output.document(identity_policy(Role(role), place))
        return 0
    wanted = _plan(place, principals, locked_days, mode)
    planned: dict[str, object] = {
        "bucket": place.bucket,
        "versioning": "Enabled",
        "object_lock": default_lock(wanted),
        "lifecycle": lifecycle(wanted),
        "policies": {str(each): identity_policy(each, place) for each in Role},
    }
    if principals:
        planned["bucket_policy"] = bucket_policy(wanted)
    output.document(planned)
    return 0


@bucket.command(cls=Speaking)
@resource_argument
@_principal_option
@_days_option
@_mode_option
@click.option("--dry-run", is_flag=True, help="Look at the bucket and tell what it lacks.")
@click.pass_obj
def create(  # noqa: PLR0913 - one for each option
    session: Session,
    *,
    asked: str | None,
    principals: tuple[tuple[Role, str], ...],
    locked_days: int,
    mode: str,
    dry_run: bool,
) -> int:
    """Make the bucket, or what it lacks of the plan.

    That is versions, Object Lock, a lifecycle and a policy.

    Use the operator's access key, from the environment say: a backup must not have these rights.
    Nothing that is there is taken away or weakened, so it can be run again.

    Example:
      unstoppable bucket create
      unstoppable bucket create --principal writer=backup --principal reader=restore

    Exit codes:
      0 as planned    1 failed    2 wrong usage    3 something of the plan is lacking
    """
    configuration = load(session.env_file, asked)
    place = _reached(configuration)
    wanted = _plan(place.place, principals, locked_days, mode)
    if dry_run:
        return _tell_differences(session, wanted, place)
    from unstoppable.vault.bucket import Bucket

    steps = []
    for step in Bucket(place).make(wanted):
        steps.append(step)
        if not session.is_json:
            output.data(f"{step.what}: {step.result}")
    if session.is_json:
        told = [{"what": step.what, "result": step.result} for step in steps]
        output.document({"bucket": place.place.bucket, "steps": told})
    is_lacking = any(step.is_lacking for step in steps)
    return ExitCode.PARTIAL if is_lacking else ExitCode.SUCCEEDED


@bucket.command(cls=Speaking)
@resource_argument
@_principal_option
@_days_option
@_mode_option
@click.option(
    "--as",
    "role",
    type=click.Choice([str(role) for role in _WRITERS]),
    help="Try with the access key of the settings what this role may do, and what it must not.",
)
@click.pass_obj
def check(  # noqa: PLR0913 - one for each option
    session: Session,
    *,
    asked: str | None,
    principals: tuple[tuple[Role, str], ...],
    locked_days: int,
    mode: str,
    role: str | None,
) -> int:
    """Compare the bucket with the plan, or try a writer's rights.

    To compare takes the right to see the bucket's settings: use the operator's or an auditor's
    access key. To try takes the writer's own, which the settings hold: a few bytes are put below
    `.unstoppable/probe/`, and what must be refused would harm those alone.

    Example:
      unstoppable bucket check
      unstoppable bucket check --as writer

    Exit codes:
      0 as it should be    1 something is not, or failed    2 wrong usage
    """
    place = _reached(load(session.env_file, asked))
    if role is not None:
        return _try(session, place, Role(role))
    return _tell_differences(session, _plan(place.place, principals, locked_days, mode), place)


def _tell_differences(session: Session, wanted: BucketPlan, place: S3Cold) -> int:
    from unstoppable.vault.bucket import Bucket

    told = differences(wanted, Bucket(place).look())
    if session.is_json:
        output.document({"bucket": place.place.bucket, "differences": told})
    else:
        for sentence in told:
            output.data(printable(sentence))
        verdict = f"{count(len(told), 'difference')}" if told else "as it should be"
        output.data(f"bucket {place.place.bucket}: {verdict}")
    return ExitCode.FAILED if told else ExitCode.SUCCEEDED


def _try(session: Session, place: S3Cold, role: Role) -> int:
    from unstoppable.vault.bucket import Bucket

    tried = list(Bucket(place).try_as_writer(may_read=role is Role.CONVENIENT_WRITER))
    wrong = [each for each in tried if not each.is_right]
    if session.is_json:
        told = [{"what": each.what, "is_allowed": each.is_allowed} for each in tried]
        found = {"bucket": place.place.bucket, "tried": told}
        output.document({**found, "wrong": [each.what for each in wrong]})
    else:
        who = printable(place.access_key_id.resolve())
        for each in tried:
            word = "may" if each.is_allowed else "may not"
            mark = "" if each.is_right else ", and should" + ("" if not each.is_allowed else " not")
            output.data(f"{who} {word} {each.what}{mark}")
        verdict = count(len(wrong), "wrong right") if wrong else f"the rights of a {role}"
        output.data(f"bucket {place.place.bucket}: {verdict}")
    return ExitCode.FAILED if wrong else ExitCode.SUCCEEDED


def _plan(
    place: S3Prefix, principals: tuple[tuple[Role, str], ...], locked_days: int, mode: str
) -> BucketPlan:
    roles = dict.fromkeys(role for role, _ in principals)
    named = {role: tuple(name for of, name in principals if of is role) for role in roles}
    lock = LockMode(mode)
    return BucketPlan(place=place, mode=lock, locked_days=locked_days, principals=named)


def _place(configuration: Configuration) -> S3Prefix:
    """Return where cold lies; raises ColdIsNoBucket."""
    place = configuration.settings.cold
    if not isinstance(place, S3Prefix):
        raise ColdIsNoBucket(cold=place)
    return place


def _reached(configuration: Configuration) -> S3Cold:
    """Return cold and what opens it; raises ColdIsNoBucket."""
    cold = configuration.cold
    if not isinstance(cold, S3Cold):
        raise ColdIsNoBucket(cold=cold)
    return cold
