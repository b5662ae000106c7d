"""Making what is shipped: the steps of the build (`wheel`), and `make dist`, which builds and checks everything (`dist`)."""
