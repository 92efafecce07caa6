"""Transforms of the graph: a Function in, a Function (or facts about it) out."""
