"""`xmpp-restctl`: the commands of /api on the command line, as ejabberdctl has them (commands-api §14)."""
