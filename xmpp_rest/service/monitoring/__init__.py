"""The figures of all processes of a gateway, brought together for who asks one of them."""
