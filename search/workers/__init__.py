"""Workers, and the processes, slots and devices that they share."""
