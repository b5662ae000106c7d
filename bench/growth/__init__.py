"""What storage and gateway cost as data grows: `make bench-growth`; the results are in bench/GROWTH.md."""
