-- For Prosody's configuration, in two parts: what stands below a VirtualHost or a Component belongs to it alone, and a port there is ignored.

-- 1. Above the first VirtualHost:
component_ports = { 5347 }
component_interfaces = { "127.0.0.1" }

-- 2. After the VirtualHosts. One Component for each hosted domain of the gateway.
Component "gateway.example.net"
    component_secret = "a secret of your own"

Component "muclight.gateway.example.net"
    component_secret = "a secret of your own"

Component "conference.gateway.example.net"
    component_secret = "a secret of your own"
