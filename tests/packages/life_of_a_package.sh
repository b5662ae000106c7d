#!/bin/sh
# Runs in a Debian of its own, with a network of its own: the package is installed, serves, and is purged. The unit is run without systemd.
set -eux

dpkg --install /package.deb
test "$(stat -c '%a %U:%G' /etc/xmpp-rest/wsgi.ini)" = "640 root:xmpp-rest"
test "$(stat -c '%a %U:%G' /var/lib/xmpp-rest)" = "700 xmpp-rest:xmpp-rest"
grep -qx 'data_dir = /var/lib/xmpp-rest' /etc/xmpp-rest/wsgi.ini
unit=$(find /lib/systemd/system /usr/lib/systemd/system -name xmpp-rest.service | head -n 1)
if grep -n /opt "$unit"; then exit 1; fi
grep -x User=xmpp-rest "$unit"
serve=$(sed -n 's/^ExecStart=//p' "$unit")
xmpp-rest --version
xmpp-restctl --help >/dev/null

as_service() {
    setpriv --reuid=xmpp-rest --regid=xmpp-rest --clear-groups -- "$@"
}
cd /var/lib/xmpp-rest
# shellcheck disable=SC2086
setpriv --reuid=xmpp-rest --regid=xmpp-rest --clear-groups -- $serve 2>/log & # no function: its process would be a shell
gateway=$!
python3 - <<'END' || { cat /log; exit 1; }
import http.client, time
deadline = time.monotonic() + 60
while True:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=5)
        connection.request("GET", "/readyz")
        if connection.getresponse().status == 200:
            break
    except OSError:
        pass
    assert time.monotonic() < deadline, "the gateway is not ready"
    time.sleep(0.1)
END
as_service xmpp-rest --config /etc/xmpp-rest/wsgi.ini send admin@localhost 'from a package'
as_service xmpp-restctl status # the configuration is found
as_service xmpp-restctl --config /etc/xmpp-rest/wsgi.ini get_offline_count admin localhost | grep -qx 1
kill "$gateway"
wait "$gateway"

dpkg --purge xmpp-rest
for gone in /etc/xmpp-rest /var/lib/xmpp-rest /usr/lib/xmpp-rest /usr/bin/xmpp-rest "$unit"; do
    test ! -e "$gone"
done
if getent passwd xmpp-rest || getent group xmpp-rest; then exit 1; fi
echo "the package is gone"
