"""One file for each command; each returns an exit code."""
