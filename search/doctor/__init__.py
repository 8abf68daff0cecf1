"""What `lstm-search doctor` looks at: machine, software, database, disk, and a short trial."""
