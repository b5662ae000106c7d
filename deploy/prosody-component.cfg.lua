-- For Prosody's configuration, in two parts. (Settings belong to the VirtualHost or Component above them, if there is one.)

-- 1. Above the first VirtualHost:
component_ports = { 5347 }
component_interfaces = { "127.0.0.1" }

-- 2. At the end. One Component for each hosted domain of the gateway.
Component "gateway.example.net"
    component_secret = "a secret of your own"

Component "muclight.gateway.example.net"
    component_secret = "a secret of your own"

Component "conference.gateway.example.net"
    component_secret = "a secret of your own"
