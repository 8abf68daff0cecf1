"""What a forecast is worth: metrics, naive forecasts, uncertainty and intervals."""
