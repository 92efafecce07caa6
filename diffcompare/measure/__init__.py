"""What is measured: certified accuracy, cost and speed, as flat records."""
