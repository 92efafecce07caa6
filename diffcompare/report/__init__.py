"""From records to a report on disk; nothing here measures."""
