"""The methods: differentiators, one family a file, behind one interface."""
