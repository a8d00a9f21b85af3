"""Backup and restore of rustic-format repositories; `__init__.pyi` is the interface."""

from unstoppable_engine._engine import *
from unstoppable_engine._engine import __all__, __version__
