"""`xmpp-restctl`: the commands of /api on the command line, as ejabberdctl has them (spec commands-api §14)."""
