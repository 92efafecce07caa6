"""The models of the 27 data sets of NIST's reference data for nonlinear regression, with Jacobians by hand and synthetic data."""
