"""The command line: `xmpp-restctl` runs the commands of /api as ejabberdctl does (commands-api §14)."""
