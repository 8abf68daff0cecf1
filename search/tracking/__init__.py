"""Trials as runs of the programs that a team follows its experiments in."""
