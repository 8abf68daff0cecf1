"""What people see of a search while it runs."""
