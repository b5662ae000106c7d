"""Speed beside the peers: `make bench`; what is measured stands in scenarios.py, the results in RESULTS.md."""
