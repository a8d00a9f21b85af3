"""Holds the rights that a backup must not have: over buckets, versions and locks."""
