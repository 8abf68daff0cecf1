"""The commands by theme: each parses its options and calls its file under `search.commands`."""
