"""What one trial is: data, splits, windows, networks, training and judging, and nothing of studies."""
