"""What a study does otherwise where sequences are classified: its beginning and its end."""
