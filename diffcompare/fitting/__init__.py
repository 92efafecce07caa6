"""Least squares: parameters of a model from data, in Python and from the command line."""
