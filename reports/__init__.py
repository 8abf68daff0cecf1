"""What a finished study leaves behind: numbers, plots and pages."""
