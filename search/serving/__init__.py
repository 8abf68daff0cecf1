"""Serving a bundle over HTTP. Nothing here needs TensorFlow, pandas or Optuna."""
