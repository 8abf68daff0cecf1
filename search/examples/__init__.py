"""Data and study files that are carried inside the package."""
