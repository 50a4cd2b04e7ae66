"""Tests of core.diagnosis."""
