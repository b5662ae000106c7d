"""XEP-0227, Portable Import/Export Format: files of Prosody and of ejabberd's `export_piefxis`, read and written piece by piece."""
