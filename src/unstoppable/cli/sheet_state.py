"""Whether the key is on paper, for `unstoppable status`."""

from dataclasses import dataclass
from pathlib import Path

from unstoppable.cli import output
from unstoppable.cli.configuration import Configuration
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.sheet_record import SheetRecord
from unstoppable.domain.text import printable
from unstoppable.runner import pins_file, sheet_file


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetState:
    """What is known of the recovery sheet of the pinned key."""

    record: SheetRecord
    files: tuple[Path, ...]
    """Those that lie on this machine; on a mount that may be silent, those written there."""

    @property
    def is_confirmed(self) -> bool:
        """Whether somebody typed the key's groups from paper."""
        return self.record.confirmed_at is not None

    @property
    def sentence(self) -> str:
        """What a person should know and do."""
        if self.record.confirmed_at is None:
            return f"not confirmed: {self.to_do}"
        when = f"confirmed {output.local(self.record.confirmed_at)}"
        return f"{when}; but {self._page} still lies here: delete it" if self.files else when

    @property
    def to_do(self) -> str:
        """What brings a key on paper that is not there."""
        if self.files:
            return f"print {self._page}, then `unstoppable key sheet --confirm`"
        return "write one with `unstoppable key sheet`, and print it"

    @property
    def _page(self) -> str:
        return printable(str(self.files[0]))


def look(configuration: Configuration) -> SheetState:
    """Return what is known; where nothing can be read, nothing is confirmed.

    It goes by the pinned fingerprint: a new key has new pins, and no secret is read for this.
    """
    resource = configuration.resource
    try:
        pins = pins_file.require(configuration.pins_file, resource)
        owner = sheet_file.Owner(
            state=configuration.settings.state,
            resource=resource,
            key_fingerprint=pins.key_fingerprint,
        )
        record, files = sheet_file.likely(owner)
    except UnstoppableError:
        # Whoever needs the pins or the record tells what is wrong with them.
        record, files = SheetRecord(resource=resource), ()
    return SheetState(record=record, files=files)
