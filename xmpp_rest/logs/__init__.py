"""The log: areas and levels, the form of a line, when lines are written, and the lines that have a name."""
