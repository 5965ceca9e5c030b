"""Every figure Khareetaty publishes about itself, each made by `make bench` and written to docs/benchmarks.md."""
