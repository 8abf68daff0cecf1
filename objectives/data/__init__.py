"""A table read, checked and described, before it is cut."""
