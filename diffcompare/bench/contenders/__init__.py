"""Who is measured, one contender a file."""
