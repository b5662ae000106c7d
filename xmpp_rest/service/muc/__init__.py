"""The rooms of the conference domain (XEP-0045), with the options and subscriptions that ejabberd's rooms have."""
