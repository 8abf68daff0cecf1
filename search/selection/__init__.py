"""From the trials of a search to the networks that make up its model."""
