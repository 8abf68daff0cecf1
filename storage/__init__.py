"""The relational database: opening it, and studies and trials as plain frozen records."""
