"""The words of each command, apart from what runs it: the parser of all commands needs them, and imports nothing else."""
