"""The problem library, one subject a file: each module holds Problems and Families under their own names."""
