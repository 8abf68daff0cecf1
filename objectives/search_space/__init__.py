"""What trials may draw, and which of them are pruned."""
