"""Who calls the schedule of this installation."""

import sys
from pathlib import Path

from unstoppable.cli import env_file
from unstoppable.cli.settings import Configuration
from unstoppable.domain.caller import Call
from unstoppable.domain.setup_errors import SettingsElsewhere
from unstoppable.runner.caller import Caller, callers

NOBODY = "nobody: `unstoppable schedule install`"


def who_may_call(configuration: Configuration) -> tuple[Caller, ...]:
    """Return what may call the schedule, the better one first, cron last; raises PathUnfit."""
    settings, path = configuration.settings, configuration.env_file
    call = Call(
        # As it was called, which is the link that an upgrade switches.
        program=str(Path(sys.argv[0]).absolute()),
        env_file=str(path),
        made=(str(settings.hot), str(settings.state)),
        written=(str(settings.hot), str(settings.cold), str(settings.state)),
    )
    return callers(call, is_default=path == env_file.configuration_folder() / ".env")


def require_complete(configuration: Configuration) -> None:
    """Raise SettingMissing or SettingsElsewhere where the settings file is not enough for a run."""
    configuration.installation()
    _ = configuration.source
    if names := configuration.only_in_environment:
        found = ", ".join(names)
        raise SettingsElsewhere(names=found, env_file=configuration.env_file)


def who_calls(configuration: Configuration) -> list[str]:
    """Return the names of those that call the schedule; none for nobody."""
    return [caller.title for caller in who_may_call(configuration) if caller.is_installed()]
