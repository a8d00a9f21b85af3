"""Unstoppable backups: backups that cannot be stopped, swapped or destroyed unnoticed."""
