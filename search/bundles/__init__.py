"""Bundles made, entered in the registry and challenged, and rows for them."""
