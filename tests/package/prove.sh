#!/bin/sh
# Runs once in the machine that test_boot.py starts: follows the install page, and prints what it finds to the console.
exec >/dev/ttyS0 2>&1
folder=/var/lib/exit-terminal
proved() { printf '\nPROVED %s=%s\n' "$1" "$2"; }
shown() { systemctl show "$1" --value -p "$2"; }
as_service() { runuser -u exit-terminal -- "$@"; }
until_true() { # SECONDS COMMAND...
    limit=$1; shift
    while ! "$@"; do
        [ "$limit" -gt 0 ] || return 1
        limit=$((limit - 1)); sleep 1
    done
}
begins() { # SHAPE OPTIONS...: a configuration, and PayBy's sandbox beside it
    shape=$1; shift
    exit-terminal init $folder --shape "$shape" --garage marina --payby sandbox "$@" >/dev/null
    systemd-run --quiet --unit="sandbox-$shape" -p User=exit-terminal exit-terminal sandbox --folder $folder/sandbox \
        --merchant-key $folder/upload/merchant.pub.pem
    until_true 30 grep -qs PUBLIC $folder/sandbox/payby.pub.pem
}
serves() { # UNIT: READY, and what the service was lent
    systemctl start "$1"
    proved "$1.start" $?
    proved "$1.active" "$(shown "$1" ActiveState)"
    proved "$1.status" "$(shown "$1" StatusText)"
    proved "$1.lent" "$(find "/run/credentials/$1" -type f | wc -l)"
}

proved systemd "$(systemctl --version | head -n 1)"
proved failed "$(systemctl list-units --failed --plain --no-legend | grep -v -e networkd-wait -e exit-terminal-clock)"

begins server --mqtt-url mqtts://localhost
cp -r $folder/mosquitto/. /etc/mosquitto/
chgrp -R mosquitto /etc/mosquitto && chmod -R g+rX /etc/mosquitto
systemctl restart mosquitto
chown -R root: $folder/secrets && chmod -R go= $folder/secrets
proved readable "$(as_service sh -c "cat $folder/secrets/*.pem" 2>/dev/null | wc -l)"
serves exit-terminal-server.service
systemctl stop exit-terminal-server.service
proved exit-terminal-server.service.stopped "$(shown exit-terminal-server.service Result)"
systemctl stop sandbox-server mosquitto
rm -rf ${folder:?}/*

begins single --reader stdin --panel png --pins mock
serves exit-terminal.service
before=$(shown exit-terminal.service MainPID)
kill -STOP "$before"
again() { [ "$(shown exit-terminal.service ActiveState)" = active ] && [ "$(shown exit-terminal.service MainPID)" != "$before" ]; }
until_true 150 again
proved thawed $?
proved restarts "$(shown exit-terminal.service NRestarts)"
systemctl stop exit-terminal.service
sed -i 's/^\[garage\]$/[garage]\nnonsense = 1/' $folder/exit-terminal.toml
systemctl start exit-terminal.service
proved wrong.start $?
proved wrong.active "$(shown exit-terminal.service ActiveState)"
proved wrong.status "$(shown exit-terminal.service ExecMainStatus)"
proved end 1
systemctl poweroff --no-block
