"""What makes the system look at the schedule every minute: systemd units, or a line for cron."""

import shlex
from dataclasses import dataclass

from unstoppable.domain.setup_errors import PathUnfit

_REFUSED = ('"', "\\", "'", "`", "$")
"""Each file has its own rules for these; nobody needs them in the paths of an installation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is called, with absolute paths."""

    program: str
    env_file: str
    made: tuple[str, ...]
    """Folders that a run makes where they are missing."""
    written: tuple[str, ...]
    """Folders that a run writes, those in `made` included."""
    needs_network: bool = False
    """Whether a run that comes before the network, after a start of the machine, would fail."""

    def require_fit(self) -> None:
        """Raise PathUnfit where a path cannot be written down so that it is read as it is."""
        for path in (self.program, self.env_file, *self.written):
            if not path.isprintable() or any(character in path for character in _REFUSED):
                raise PathUnfit(path=path)


def service_unit(call: Call) -> str:
    """Return the systemd service that runs what is due; raises PathUnfit.

    It may read everything, because anything may be a source, and hide nothing from the run: with
    `PrivateTmp`, `PrivateDevices` or `ProtectKernelModules` a backup of /tmp, / or /usr would
    hold something else than the machine does, and with `RestrictSUIDSGID` there is no openat2.
    """
    call.require_fit()
    made = " ".join(map(_word, call.made))
    written = " ".join(f"-{_word(path)}" for path in call.written)
    online = "Wants=network-online.target\nAfter=network-online.target\n"
    return f"""\
# Written by `unstoppable schedule install`; `unstoppable schedule remove` takes it away.
[Unit]
Description=Unstoppable backups: run what is due
{online if call.needs_network else ""}
[Service]
Type=oneshot
# Outside of what is allowed below: the cache and the journal may have been deleted.
ExecStartPre=+/bin/mkdir -p -m 700 -- {made}
ExecStart={_word(call.program)} {_arguments(call)}
# Another run of the customer, or one that was stopped and keeps what it has, is no failure.
SuccessExitStatus=11 130
TimeoutStartSec=infinity
TimeoutStopSec=150
KillMode=mixed
Nice=10
IOSchedulingClass=best-effort
IOSchedulingPriority=7
UMask=0077

NoNewPrivileges=yes
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER
ProtectSystem=strict
ReadWritePaths={written}
DevicePolicy=closed
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service landlock_create_ruleset landlock_add_rule landlock_restrict_self
"""


def is_of(service_unit: str, call: Call) -> bool:
    """Return whether a service runs what is due of this installation."""
    return f"{_arguments(call)}\n" in service_unit


def timer_unit() -> str:
    """Return the systemd timer that starts the service every minute."""
    return """\
# Written by `unstoppable schedule install`; `unstoppable schedule remove` takes it away.
[Unit]
Description=Unstoppable backups: look at the schedule every minute

[Timer]
OnCalendar=*:*:00
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def mark(call: Call) -> str:
    """Return the end of this installation's line in a crontab."""
    return f"# unstoppable schedule of {_for_cron(call.env_file)}"


def crontab_line(call: Call) -> str:
    """Return the line for a crontab; raises PathUnfit.

    Cron mails what goes to stderr, which is what went wrong.
    """
    call.require_fit()
    words = map(shlex.quote, (call.program, "--env-file", call.env_file, "schedule", "tick"))
    return f"* * * * * {_for_cron(' '.join(words))} >/dev/null {mark(call)}"


def with_line(crontab: str, call: Call) -> str:
    """Return a crontab with the line of this installation, once, everything else as it was."""
    kept = without_line(crontab, call)
    if kept and not kept.endswith("\n"):
        kept += "\n"
    return f"{kept}{crontab_line(call)}\n"


def without_line(crontab: str, call: Call) -> str:
    """Return a crontab without the line of this installation."""
    lines = crontab.split("\n")
    return "\n".join(line for line in lines if not line.endswith(mark(call)))


def _arguments(call: Call) -> str:
    return f"--env-file {_word(call.env_file)} schedule tick"


def _word(text: str) -> str:
    """Return one word of a unit: `%` begins a specifier there."""
    escaped = text.replace("%", "%%")
    return f'"{escaped}"' if " " in escaped else escaped


def _for_cron(text: str) -> str:
    """Return text for a crontab: a bare `%` ends the command there."""
    return text.replace("%", r"\%")
