-- Prosody beside the nodes, as compose.yml starts it. The data folder is a volume.
local file = assert((Lua or _G).io.open("/run/secrets/link"))
local secret = file:read("*l")
file:close()

data_path = "/var/lib/prosody"
log = { { levels = { min = "info" }, to = "console" } }
authentication = "internal_hashed"
modules_enabled = {
    "roster", "saslauth", "tls", "dialback", "disco", "carbons", "pep", "private", "blocklist", "vcard4", "vcard_legacy", "version", "time", "ping", "mam",
}

-- Only the gateway reaches this port: compose.yml does not publish it.
component_ports = { 5347 }
component_interfaces = { "*" }

VirtualHost "example.net"

Component "gateway.example.net"
    component_secret = secret
    component_conflict_resolve = "kick_old" -- the next owner is in at once, also while the former one is frozen

Component "muclight.gateway.example.net"
    component_secret = secret
    component_conflict_resolve = "kick_old"

Component "conference.gateway.example.net"
    component_secret = secret
    component_conflict_resolve = "kick_old"
