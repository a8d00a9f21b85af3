"""The folder that is restored into, as it stands before."""

import os
from dataclasses import dataclass
from pathlib import Path

from unstoppable.domain.errors import TargetOccupied
from unstoppable.domain.names import ResourceName
from unstoppable.engine import claim_name, claimed_snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stands in a folder that is to be restored into."""

    folder: Path
    is_empty: bool
    claims: tuple[str, ...]
    """The snapshots whose restore into it is not finished, as the names of its files say."""

    @property
    def unfinished(self) -> str | None:
        """The snapshot that is gone on with unless another is asked for."""
        return self.claims[0] if len(self.claims) == 1 else None

    def claim(self, snapshot_id: str) -> Path:
        """Return the file that says that this snapshot's restore is not finished."""
        return self.folder / claim_name(snapshot_id)

    def refuse(self, snapshot_id: str, resource: ResourceName, *, overwrite: bool) -> None:
        """Raise TargetOccupied where the engine would refuse to restore this snapshot."""
        others = [claimed for claimed in self.claims if claimed != snapshot_id]
        if others:
            cause = f"{self.folder} holds an unfinished restore of snapshot {others[0]}"
            raise TargetOccupied(resource=resource, cause=cause)
        if not (self.is_empty or self.claims or overwrite):
            cause = f"{self.folder} is not an empty folder"
            raise TargetOccupied(resource=resource, cause=cause)


def look(folder: Path) -> Standing:
    """Return what stands in a folder; nothing where it is missing or may not be read."""
    is_empty, claims = True, []
    try:
        with os.scandir(folder) as found:
            for entry in found:
                is_empty = False
                is_file = entry.is_file(follow_symlinks=False)
                if is_file and (claimed := claimed_snapshot(entry.name)):
                    claims.append(claimed)
    except NotADirectoryError:
        is_empty = False
    except OSError:
        # Whoever writes there says what is wrong with it.
        is_empty = True
    return Standing(folder=folder, is_empty=is_empty, claims=tuple(claims))
