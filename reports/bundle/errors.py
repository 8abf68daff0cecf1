"""The one exception of bundles."""


class BundleError(ValueError):
    """A bundle, or what was given to its model, cannot be used; the message says why in one line."""
