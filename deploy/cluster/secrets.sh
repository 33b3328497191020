#!/usr/bin/env bash
# Makes the secrets of a cluster in the folder `secrets` beside this file, once: what is there stays.
#
#   gateway.env  what every gateway gets in its environment: the engine's address with its password, the cluster's
#                secret, the operators' token
#   users.acl    the users of the engine; of the password it has the hash only
#
# With the name of the engine's host as its argument; `valkey` by default, as in compose.yaml and kubernetes/.
set -euo pipefail
cd "$(dirname "$0")"
umask 077

[ ! -e secrets ] || { echo "error: the folder secrets is there; remove it to make new ones" >&2; exit 1; }
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
password=$(random)
hash=$(printf %s "$password" | sha256sum | cut -d' ' -f1)
made=$(mktemp -d secrets.XXXXXX)

cat >"$made/gateway.env" <<ENV
WASTEGATE_CLUSTER__ENGINE=redis://wastegate:$password@${1:-valkey}:6379
WASTEGATE_CLUSTER__SECRET=$(random)
WASTEGATE_ADMIN__TOKEN=$(random)
ENV

# The commands are those of docs/cluster.md. `health` may only be asked whether it is there.
cat >"$made/users.acl" <<ACL
user default off
user health on nopass resetchannels -@all +ping
user wastegate on #$hash resetchannels ~wg1:* -@all +hget +hset +hdel +hlen +hmget +hgetall +pexpire +persist +del +zadd +zscore +zrange +zremrangebyscore +zremrangebyrank +exists +get +set +time +info +fcall +function|load +xadd +xread
ACL
# The engine's container reads it as another user; the folder keeps this machine's users out.
chmod 0644 "$made/users.acl"
mv "$made" secrets
