"""report.html: one page that needs no network, from the numbers of report.json and stored forecasts."""
