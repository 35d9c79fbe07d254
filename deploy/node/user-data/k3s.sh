#!/bin/bash
# The image has k3s at /usr/local/bin/k3s, of the cluster's version, and curl; k3s joins by K3S_JOIN_TOKEN.
set -eu
# The switch: no gateway for LEASE_SECONDS (capacity.lease) and no burst, or older than MAX_AGE_SECONDS (more than
# capacity.maxAge and the longest time limit together), and the machine powers itself off.
install -D -m 0755 /dev/stdin /usr/local/sbin/spillway-switch <<'SPILLWAY'
#!/bin/sh
# Spillway's dead man's switch. Run once a minute on every instance that the gateway launches (spillway-switch.timer), it
# powers the machine off when nobody stands for it any more:
#   - no gateway renewed its lease for LEASE_SECONDS, and no pod of a burst that was started runs; or
#   - it is older than MAX_AGE_SECONDS, whatever runs.
# The launch template says InstanceInitiatedShutdownBehavior=terminate, so that off is gone.
#
# The lease is the annotation spillway.dev/lease of the machine's own Node, read with the kubelet's own rights. What counts is that
# it changes: times are this machine's, so that no two clocks are compared. Whoever cannot read it sees no change.
set -u
: "${LEASE_SECONDS:=1800}" "${MAX_AGE_SECONDS:=1209600}"
: "${STATE:=/run/spillway-switch}"
# A directory for each container of Kubernetes, with its first process (init.pid) and what it was made of (config.json).
: "${TASKS:=/run/containerd/io.containerd.runtime.v2.task/k8s.io}"
: "${POWER_OFF:=systemctl poweroff}"
# Where a pod's keeper keeps the start that it was granted (grant.json), as the keeper sees it.
: "${SPOOL:=/spill-spool}"
# The API server, and as whom it is asked: CERT_FILE and KEY_FILE, or what TOKEN_COMMAND prints.
: "${API_SERVER:=}" "${CA_FILE:=}" "${CERT_FILE:=}" "${KEY_FILE:=}" "${TOKEN_COMMAND:=}" "${NODE_NAME:=}"

say() { echo "spillway-switch: $*"; }

# Seconds that only go forward.
now() { cut -d. -f1 /proc/uptime; }

node_name() {
  if [ -n "$NODE_NAME" ]; then echo "$NODE_NAME"; return; fi
  for pid in $(pgrep -x kubelet); do
    name=$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | sed -n 's/^--hostname-override=//p')
    if [ -n "$name" ]; then echo "$name"; return; fi
  done
  hostname | tr '[:upper:]' '[:lower:]'
}

# The Node as JSON.
ask() {
  [ -n "$API_SERVER" ] || return 1
  url="$API_SERVER/api/v1/nodes/$(node_name)"
  if [ -n "$TOKEN_COMMAND" ]; then
    token=$(timeout 20 $TOKEN_COMMAND) || return 1
    # Not as an argument: those are everybody's to read.
    printf 'header = "Authorization: Bearer %s"\n' "$token" |
      curl --silent --fail --max-time 20 --cacert "$CA_FILE" --config - "$url"
  else
    curl --silent --fail --max-time 20 --cacert "$CA_FILE" --cert "$CERT_FILE" --key "$KEY_FILE" "$url"
  fi
}

# Empty: there is none, or it could not be read.
lease() { ask | tr -d '\n' | sed -n 's/.*"spillway\.dev\/lease": *"\([^"]*\)".*/\1/p'; }

# Of the container whose directory is $1.
of_pod() { sed -n 's/.*"io\.kubernetes\.cri\.'"$2"'": *"\([^"]*\)".*/\1/p' "$1/config.json" 2>/dev/null | head -n 1; }

# Its first process, where that lives and the container is of a burst's pod (spill-…).
burst_pid() {
  pid=$(cat "$1/init.pid" 2>/dev/null) || return 1
  kill -0 "$pid" 2>/dev/null || return 1
  case $(of_pod "$1" sandbox-name) in
  spill-*) echo "$pid" ;;
  *) return 1 ;;
  esac
}

# Pods whose keeper was granted no start: without a gateway none ever comes, and nothing of a user's runs there or is kept.
never_started() {
  for task in "$TASKS"/*/; do
    pid=$(burst_pid "$task") || continue
    [ "$(of_pod "$task" container-name)" = keeper ] || continue
    if [ -d "/proc/$pid/root$SPOOL" ] && [ ! -e "/proc/$pid/root$SPOOL/grant.json" ]; then
      of_pod "$task" sandbox-id
    fi
  done
}

# Whether a process of a burst that was started runs. Those of DaemonSets are no use that keeps a machine, nor is a pod's own sandbox.
used() {
  if [ ! -d "$TASKS" ]; then
    # Another runtime, or another place of it: what cannot be seen is taken for use.
    if pgrep -f '(containerd-shim|conmon)' >/dev/null; then
      say "cannot see what runs: no $TASKS"
      return 0
    fi
    return 1
  fi
  idle=$(never_started)
  for task in "$TASKS"/*/; do
    burst_pid "$task" >/dev/null || continue
    [ "$(of_pod "$task" container-type)" != sandbox ] || continue
    pod=$(of_pod "$task" sandbox-id)
    # Whose pod it is cannot be told: taken for use.
    [ -n "$pod" ] && echo "$idle" | grep -qxF "$pod" || return 0
  done
  return 1
}

off() {
  say "powers off: $*"
  $POWER_OFF
  exit 0
}

# What was written there, or 0, which is the machine's start: where nothing can be kept, it counts from then.
kept() {
  read -r value <"$STATE/$1" || value=
  case $value in
  '' | *[!0-9]*) echo 0 ;;
  *) echo "$value" ;;
  esac
} 2>/dev/null

mkdir -p "$STATE"
at=$(now)
[ -s "$STATE/began" ] || echo "$at" >"$STATE/began"
[ -s "$STATE/renewed" ] || echo "$at" >"$STATE/renewed"
age=$((at - $(kept began)))
[ "$age" -lt "$MAX_AGE_SECONDS" ] || off "$age s old, of at most $MAX_AGE_SECONDS"

seen=$(lease)
if [ -n "$seen" ] && [ "$seen" != "$(cat "$STATE/lease" 2>/dev/null)" ]; then
  echo "$seen" >"$STATE/lease"
  echo "$at" >"$STATE/renewed"
fi
silent=$((at - $(kept renewed)))
[ "$silent" -lt "$LEASE_SECONDS" ] && exit 0
if used; then
  say "no gateway for $silent s; bursts still run here"
  exit 0
fi
off "no gateway for $silent s, of at most $LEASE_SECONDS, and nothing runs here"
SPILLWAY
install -D -m 0644 /dev/stdin /etc/systemd/system/spillway-switch.service <<'SPILLWAY'
[Unit]
Description=Spillway's dead man's switch

[Service]
Type=oneshot
# One that hangs must not keep the next from looking.
TimeoutStartSec=50s
EnvironmentFile=/etc/spillway/switch.env
ExecStart=/usr/local/sbin/spillway-switch
SPILLWAY
install -D -m 0644 /dev/stdin /etc/systemd/system/spillway-switch.timer <<'SPILLWAY'
[Unit]
Description=Spillway's dead man's switch, once a minute

[Timer]
OnBootSec=1min
OnUnitActiveSec=1min
AccuracySec=5s

[Install]
WantedBy=timers.target
SPILLWAY
install -D -m 0644 /dev/stdin /etc/spillway/switch.env <<'SPILLWAY'
LEASE_SECONDS=1800
MAX_AGE_SECONDS=1209600
TASKS=/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io
API_SERVER=https://127.0.0.1:6444
CA_FILE=/var/lib/rancher/k3s/agent/server-ca.crt
CERT_FILE=/var/lib/rancher/k3s/agent/client-kubelet.crt
KEY_FILE=/var/lib/rancher/k3s/agent/client-kubelet.key
SPILLWAY
systemctl daemon-reload
systemctl enable --now spillway-switch.timer
token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' http://169.254.169.254/latest/api/token)
imds() { curl -sf -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"; }
provider=aws:///$(imds placement/availability-zone)/$(imds instance-id)
cat >/etc/systemd/system/k3s-agent.service <<END
[Unit]
Description=k3s agent
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
KillMode=process
Delegate=yes
Restart=always
Environment=K3S_URL=https://API_SERVER_HOST:6443 K3S_TOKEN=K3S_JOIN_TOKEN
ExecStart=/usr/local/bin/k3s agent --node-taint spillway.dev/burst=true:NoSchedule --kubelet-arg=provider-id=$provider

[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now k3s-agent
