"""Labelled sequences of equal or unequal length, and what one trial on them is."""
