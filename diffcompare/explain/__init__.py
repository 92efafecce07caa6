"""Derivatives explained: the sweeps of automatic differentiation line by line, and the graph they run over as a picture."""
