"""Has the system call the schedule: systemd as root where it runs, else cron."""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from unstoppable.domain import caller
from unstoppable.domain.caller import Call
from unstoppable.domain.setup_errors import CallerUnusable
from unstoppable.runner.files import replace

_UNITS = Path("/etc/systemd/system")
_SYSTEMD_RUNS = Path("/run/systemd/system")
_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Systemd:
    """A timer and its service, for root."""

    call: Call
    name: str

    @property
    def title(self) -> str:
        """How people name it."""
        return f"the systemd timer {self.name}.timer"

    @property
    def files(self) -> dict[str, str]:
        """What is written where."""
        return {
            str(self._service): caller.service_unit(self.call),
            f"{_UNITS}/{self.name}.timer": caller.timer_unit(),
        }

    def is_installed(self) -> bool:
        """Return whether the timer is there and will be started with the system."""
        wanted = _UNITS / f"timers.target.wants/{self.name}.timer"
        return wanted.is_symlink() and self._is_ours()

    def is_current(self) -> bool:
        """Return whether to install it would change nothing."""
        return self.is_installed() and not self._changed()

    def _is_ours(self) -> bool:
        text = _read(self._service)
        return text is not None and caller.is_of(text, self.call)

    @property
    def _service(self) -> Path:
        return _UNITS / f"{self.name}.service"

    def install(self) -> bool:
        """Write the units and start the timer; returns whether anything changed."""
        changed = self._changed()
        if self._service.exists() and not self._is_ours():
            cause = f"{self._service} is of another installation"
            way_out = "remove it with that one's `unstoppable schedule remove`, or use --cron"
            raise CallerUnusable(what=self.title, cause=cause, way_out=way_out)
        try:
            for path in changed:
                replace(path, self.files[str(path)].encode(), mode=0o644)
        except OSError as error:
            raise CallerUnusable(
                what=self.title,
                cause=error.strerror,
                way_out=f"may this user write {_UNITS}? `--cron` needs no unit",
            ) from error
        was_installed = self.is_installed()
        if changed:
            self._systemctl("daemon-reload")
        self._systemctl("enable", "--now", f"{self.name}.timer")
        return bool(changed) or not was_installed

    def remove(self) -> bool:
        """Stop the timer and delete the units; a backup that is going on ends by itself."""
        if not self._is_ours():
            return False
        timer = _UNITS / f"{self.name}.timer"
        if timer.exists():
            self._systemctl("disable", "--now", timer.name)
        # The service last: by it the next one knows that they are ours.
        for path in (timer, self._service):
            path.unlink(missing_ok=True)
        self._systemctl("daemon-reload")
        return True

    def _changed(self) -> list[Path]:
        files = ((Path(path), text) for path, text in self.files.items())
        return [path for path, text in files if _read(path) != text]

    def _systemctl(self, *arguments: str) -> None:
        way_out = "see `systemctl status`, or install it with `--cron`"
        _run(("systemctl", "--quiet", *arguments), what=self.title, way_out=way_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A line in this user's crontab."""

    call: Call

    @property
    def title(self) -> str:
        """How people name it."""
        return "this user's crontab"

    @property
    def files(self) -> dict[str, str]:
        """What is added to what."""
        return {"crontab": f"{caller.crontab_line(self.call)}\n"}

    def is_installed(self) -> bool:
        """Return whether a line is there; without cron there is none."""
        try:
            return caller.without_line(table := self._table(), self.call) != table
        except CallerUnusable:
            return False

    def is_current(self) -> bool:
        """Return whether to install it would change nothing."""
        before = self._table()
        return before == caller.with_line(before, self.call)

    def install(self) -> bool:
        """Add the line; returns whether anything changed."""
        before = self._table()
        return self._write(before, caller.with_line(before, self.call))

    def remove(self) -> bool:
        """Take the line away; returns whether it was there."""
        before = self._table()
        return self._write(before, caller.without_line(before, self.call))

    def _table(self) -> str:
        found = self._crontab("-l", may_fail=True)
        # Whoever has no crontab is told so, as an error.
        if found.returncode and "no crontab for" not in found.stderr:
            cause = found.stderr.strip() or f"crontab ended with {found.returncode}"
            raise CallerUnusable(what=self.title, cause=cause, way_out=_WITHOUT_CRON)
        return found.stdout if found.returncode == 0 else ""

    def _write(self, before: str, after: str) -> bool:
        if before == after:
            return False
        if after:
            self._crontab("-", given=after)
        else:
            self._crontab("-r")
        return True

    def _crontab(
        self, *arguments: str, given: str = "", may_fail: bool = False
    ) -> subprocess.CompletedProcess[str]:
        argv = ("crontab", *arguments)
        return _run(argv, what=self.title, way_out=_WITHOUT_CRON, given=given, may_fail=may_fail)


_WITHOUT_CRON = (
    "apt-get install cron, or have `unstoppable schedule tick` called every minute by other means"
)


Caller = Systemd | Cron


def callers(call: Call, *, is_default: bool) -> tuple[Caller, ...]:
    """Return what may call the schedule here, the better one first and cron last.

    An installation beside the default one has a timer of another name.
    """
    suffix = "" if is_default else f"-{hashlib.sha256(call.env_file.encode()).hexdigest()[:8]}"
    cron = Cron(call=call)
    if os.geteuid() == 0 and _SYSTEMD_RUNS.is_dir():
        return Systemd(call=call, name=f"unstoppable{suffix}"), cron
    return (cron,)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def _run(
    argv: tuple[str, ...], *, what: str, way_out: str, given: str = "", may_fail: bool = False
) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(
            argv,
            # Bytes: what others wrote into a crontab comes back to them as it was.
            input=given.encode(errors="surrogateescape"),
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        cause = f"{argv[0]}: {error.strerror if isinstance(error, OSError) else 'no answer'}"
        raise CallerUnusable(what=what, cause=cause, way_out=way_out) from error
    stdout, stderr = (text.decode(errors="surrogateescape") for text in (done.stdout, done.stderr))
    if done.returncode and not may_fail:
        cause = " ".join(stderr.split()) or f"{argv[0]} ended with {done.returncode}"
        raise CallerUnusable(what=what, cause=cause, way_out=way_out)
    return subprocess.CompletedProcess(argv, done.returncode, stdout, stderr)
