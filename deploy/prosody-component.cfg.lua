-- In Prosody's configuration, after the VirtualHosts. One Component for each hosted domain of the gateway.
component_ports = { 5347 }
component_interfaces = { "127.0.0.1" }

Component "gateway.example.net"
    component_secret = "a secret of your own"

Component "muclight.gateway.example.net"
    component_secret = "a secret of your own"

Component "conference.gateway.example.net"
    component_secret = "a secret of your own"
