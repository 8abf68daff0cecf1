"""The bundle: a folder that holds a model and all that its users must know, and no code of ours.

`load_bundle` opens one. Nothing here needs TensorFlow, Optuna or pandas.
"""

from reports.bundle.errors import BundleError
from reports.bundle.loading import Bundle, load_bundle
from reports.bundle.metadata import Metadata

__all__ = ["Bundle", "BundleError", "Metadata", "load_bundle"]
