"""A tool for GradBench, the suite of benchmarks for differentiation: its protocol on standard input and output, any method of ours."""
