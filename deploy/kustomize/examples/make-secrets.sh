#!/bin/sh
# Makes what the examples need and no repository should hold: tokens, passwords and certificates, in
# gateway/secrets and agent/secrets beside this file. What is there already is kept.
#
#   ./make-secrets.sh gateway.example.com
#
# The certificate of the gateway is of an authority made here, which the example's agents are told; take
# one of a public authority instead when you have it.
set -eu
umask 077

host=${1:?"usage: make-secrets.sh HOST, the name that agents reach the gateway by"}
case $host in
  *[!A-Za-z0-9.-]*) echo "make-secrets: $host (expected: a host name)" >&2 && exit 2 ;;
esac
cd "$(dirname "$0")"
mkdir -p gateway/secrets agent/secrets
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# keep FILE COMMAND...: what the command prints, unless the file is there.
keep() {
  file=$1
  shift
  [ -s "$file" ] || "$@" >"$file"
}

for name in agent-token cluster-secret store-password; do
  keep "gateway/secrets/$name" openssl rand -hex 32
done
cp gateway/secrets/agent-token agent/secrets/token

# certificate AUTHORITY NAME PREFIX: an authority and one certificate of it for NAME, RSA and PKCS #8.
certificate() {
  [ ! -s "gateway/secrets/$3.crt" ] || return 0
  cat >"$work/openssl.cnf" <<TEXT
[req]
distinguished_name = name
prompt = no
[name]
CN = $1
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[node]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:$2
TEXT
  openssl req -x509 -newkey rsa:3072 -nodes -sha256 -days 3650 -config "$work/openssl.cnf" -extensions authority \
    -keyout "$work/ca.key" -out "$work/ca.crt" 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -sha256 -config "$work/openssl.cnf" -subj "/CN=$2" \
    -keyout "$work/key.pem" -out "$work/request.pem" 2>/dev/null
  openssl x509 -req -in "$work/request.pem" -sha256 -days 730 -CA "$work/ca.crt" -CAkey "$work/ca.key" \
    -set_serial "0x$(openssl rand -hex 12)" -extfile "$work/openssl.cnf" -extensions node -out "$work/cert.pem" 2>/dev/null
  cp "$work/ca.crt" "gateway/secrets/$3-ca.crt"
  cp "$work/key.pem" "gateway/secrets/$3.key"
  cp "$work/cert.pem" "gateway/secrets/$3.crt"
}

certificate penstock-gateway-nodes-ca penstock-gateway-nodes nodes
certificate penstock-gateway-ca "$host" links
cp gateway/secrets/links-ca.crt agent/secrets/gateway-ca.crt
