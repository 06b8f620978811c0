"""What `./scripts/bench` measures: figures, percentiles and ratios, each beside its limit in the same run."""
