"""What happens inside a trial process, and what goes between it and its worker."""
