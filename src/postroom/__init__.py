"""Postroom, the email channel of a support team. This module holds the version, nothing else."""

__version__ = "0.1.0"
