"""Who calls the schedule of this installation."""

import sys
from pathlib import Path

from unstoppable.cli.configuration import Configuration
from unstoppable.domain.caller import Call
from unstoppable.domain.ftps import FtpsSource
from unstoppable.domain.s3 import S3Cold
from unstoppable.domain.setup_errors import ReferenceElsewhere, SettingsElsewhere
from unstoppable.domain.text import count
from unstoppable.runner.caller import Caller, callers

_OF_ROOT = Path("/etc/unstoppable/.env")
"""The one that is not beneath a prefix."""
NOBODY = "nobody: `unstoppable schedule install`"


def who_may_call(*all_of_them: Configuration) -> tuple[Caller, ...]:
    """Return what may call the schedule of all resources, the better one first, cron last."""
    settings, path = all_of_them[0].settings, all_of_them[0].env_file
    written = {str(folder): None for one in all_of_them for folder in one.own_folders.values()}
    call = Call(
        # As it was called, which is the link that an upgrade switches.
        program=str(Path(sys.argv[0]).absolute()),
        env_file=str(path),
        made=(str(settings.hot), str(settings.state)),
        written=tuple(written),
        needs_network=any(one.is_on_server or not one.has_cold_folder for one in all_of_them),
    )
    return callers(call, is_default=path == _OF_ROOT)


def install_caller(
    *all_of_them: Configuration, uses_cron: bool = False, dry_run: bool = False
) -> tuple[Caller, bool]:
    """Have the schedule called; returns by whom, and whether that is new.

    Raises SettingMissing, SettingsElsewhere, ReferenceElsewhere, PathUnfit or CallerUnusable, and
    for a bucket what its access key raises.
    """
    for configuration in all_of_them:
        _require_complete(configuration)
    callers = who_may_call(*all_of_them)
    chosen = callers[-1 if uses_cron else 0]
    if dry_run:
        return chosen, not chosen.is_current()
    is_changed = chosen.install()
    for other in installed_callers(*all_of_them):
        if other != chosen:
            other.remove()
    return chosen, is_changed


def calling_sentence(*all_of_them: Configuration, caller: Caller, is_changed: bool) -> str:
    """Return who calls the schedule, in one sentence."""
    word = "is called" if is_changed else "was called already"
    return f"the schedule of {whose(*all_of_them)} {word} by {caller.title}"


def whose(*all_of_them: Configuration) -> str:
    """Return the resource that there is, or how many there are."""
    if len(all_of_them) == 1:
        return str(all_of_them[0].resource)
    return count(len(all_of_them), "resource")


def _require_complete(configuration: Configuration) -> None:
    """Refuse where a run with the settings file alone would lack something."""
    cold = configuration.installation().cold
    source = configuration.source
    if names := configuration.only_in_environment:
        found = ", ".join(names)
        raise SettingsElsewhere(names=found, env_file=configuration.env_file)
    for name, reference in configuration.in_variables.items():
        raise ReferenceElsewhere(
            name=name,
            resource=configuration.resource,
            reference=reference,
            path=configuration.customer_file or configuration.env_file,
        )
    if isinstance(source, FtpsSource):
        source.password.resolve()
    if isinstance(cold, S3Cold):
        _ = cold.access_key_id.resolve(), cold.secret_access_key.resolve()


def who_calls(*all_of_them: Configuration) -> list[str]:
    """Return the names of those that call the schedule; none for nobody."""
    return [caller.title for caller in installed_callers(*all_of_them)]


def installed_callers(*all_of_them: Configuration) -> list[Caller]:
    """Return those that call the schedule."""
    return [caller for caller in who_may_call(*all_of_them) if caller.is_installed()]
