"""What a finished study of classification leaves behind: its numbers, verdict and page."""
