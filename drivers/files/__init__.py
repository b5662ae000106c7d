"""The file storages: one file per table, list and archive, in the folders that Prosody's datamanager makes."""
