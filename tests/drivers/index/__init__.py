"""The indexes of the file drivers, with blocks so small that a few items fill them."""
