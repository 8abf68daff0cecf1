"""What a study claims, derived or trained again."""
