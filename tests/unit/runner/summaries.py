"""What a backup says it stored, for whoever judges it."""

from unstoppable.domain.snapshot import Issue, Stored


def stored(*tags: str, issues: tuple[Issue, ...] = (), issue_count: int = 0) -> Stored:
    """Return a snapshot of one file, with what is named of it."""
    return Stored(
        snapshot_id="f" * 64,
        tags=tags,
        issues=issues,
        issue_count=issue_count,
        note_count=0,
        files_total=1,
        files_new=1,
        files_changed=0,
        files_unchanged=0,
        bytes_total=1,
        bytes_read=1,
        bytes_added=1,
    )
