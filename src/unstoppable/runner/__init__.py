"""Makes backups; may add to cold storage, never delete from it."""
