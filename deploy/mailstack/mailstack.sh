#!/usr/bin/env bash
# A private mail system on loopback for tests: Dovecot (IMAP, POP3), Postfix
# (SMTP) and nginx (HTTPS), with an authority of its own, and the faults that a
# provider can have. A mail that the account submits to itself reaches its INBOX,
# and a copy of it the mailbox Sent. Everything is under one folder; /etc and
# systemd are not touched. Postfix wants root.
#
#   mailstack.sh start   DIR PORT     on 127.0.0.1, ports PORT to PORT+8
#   mailstack.sh stop    DIR
#   mailstack.sh status  DIR          one line a server: name, pid, state
#   mailstack.sh freeze  DIR SERVER   SIGSTOP: accepts connections and is silent
#   mailstack.sh thaw    DIR SERVER
#   mailstack.sh kill    DIR SERVER   SIGKILL: connections are refused
#   mailstack.sh up      DIR SERVER   start one again
#   mailstack.sh cert    DIR SERVER good|expired|name|untrusted
#   mailstack.sh account DIR good|changed     another password on the server
#   mailstack.sh http    DIR ok|unavailable   unavailable is status 503
#   mailstack.sh mail    DIR deliver|hold|discard|junk [PROBE...]   what becomes of
#                                     the test mails of these probes, or of all;
#                                     deliver releases what was held
#
# SERVER is dovecot, postfix or nginx. With MAILSTACK_OWNER=PID everything stops
# by itself soon after that process has ended.
set -euo pipefail

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
command=$1 dir=$(realpath -m "$2")
shift 2

readonly servers="dovecot postfix nginx"
readonly name=mail.varde.test user=probe@varde.test
export PATH=$PATH:/usr/sbin:/sbin

die() { echo "mailstack: $*" >&2; exit 1; }

# Ports, in the order in which `start` counts them up.
ports() {
  base=$(cat "$dir/port")
  imap=$base imaps=$((base + 1)) submission=$((base + 2)) smtps=$((base + 3))
  smtp=$((base + 4)) https=$((base + 5)) http=$((base + 6))
  pop3=$((base + 7)) pop3s=$((base + 8))
}

# ---- certificates -----------------------------------------------------------

# authority NAME: a CA that `sign` can use.
authority() {
  mkdir -p "$dir/tls/$1"
  : > "$dir/tls/$1/index.txt"
  cat > "$dir/tls/$1/ca.cnf" <<EOF
[ca]
default_ca = local
[local]
new_certs_dir = $dir/tls/$1
database = $dir/tls/$1/index.txt
certificate = $dir/tls/$1/ca.pem
private_key = $dir/tls/$1/ca.key
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
EOF
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -sha256 -subj "/CN=varde test authority $1" \
    -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$dir/tls/$1/ca.key" -out "$dir/tls/$1/ca.pem" 2>/dev/null
}

# sign AUTHORITY FILE NAMES FROM TO: a server's certificate and its key.
sign() {
  local out=$dir/tls/$2
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -addext "subjectAltName=$3" \
    -addext extendedKeyUsage=serverAuth -keyout "$out.key" -out "$out.csr" 2>/dev/null
  openssl ca -batch -config "$dir/tls/$1/ca.cnf" -notext -in "$out.csr" -out "$out.pem" -startdate "$4" -enddate "$5" 2>/dev/null
  chmod 644 "$out.key" # a test's key; dovecot reads it without root
}

certificates() {
  local yesterday tomorrow names="DNS:$name,DNS:localhost,IP:127.0.0.1"
  yesterday=$(date -u -d yesterday +%Y%m%d%H%M%SZ) tomorrow=$(date -u -d '7 days' +%Y%m%d%H%M%SZ)
  authority ours
  authority others
  sign ours good "$names" "$yesterday" "$tomorrow"
  sign ours name DNS:other.varde.test "$yesterday" "$tomorrow"
  sign ours expired "$names" 20200101000000Z 20200201000000Z
  sign others untrusted "$names" "$yesterday" "$tomorrow"
  for server in $servers; do certificate "$server" good; done
}

# certificate SERVER VARIANT: what the server reads at its next start.
certificate() {
  cp "$dir/tls/$2.pem" "$dir/tls/$1.pem"
  cp "$dir/tls/$2.key" "$dir/tls/$1.key"
}

account() { echo "$user:{PLAIN}$1" > "$dir/dovecot/users"; }

# ---- configuration ----------------------------------------------------------

configure_dovecot() {
  local as=dovecot
  mkdir -p "$dir/dovecot/run" "$dir/dovecot/mail"
  account "$(cat "$dir/password")"
  cat > "$dir/dovecot/dovecot.conf" <<EOF
protocols = imap pop3 lmtp
listen = 127.0.0.1
base_dir = $dir/dovecot/run
state_dir = $dir/dovecot/run
log_path = $dir/dovecot/log
default_internal_user = $as
default_internal_group = $as
default_login_user = $as
mail_uid = $as
mail_gid = $as
first_valid_uid = 1
mail_location = maildir:$dir/dovecot/mail/%u
mail_max_userip_connections = 100
disable_plaintext_auth = yes
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0
ssl = required
ssl_min_protocol = TLSv1.2
ssl_cert = <$dir/tls/dovecot.pem
ssl_key = <$dir/tls/dovecot.key
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
postmaster_address = postmaster@varde.test
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = $dir/dovecot/oauth2.conf
}
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u $dir/dovecot/users
}
userdb {
  driver = static
  args = uid=$as gid=$as home=$dir/dovecot/mail/%u
}
namespace inbox {
  inbox = yes
  mailbox Junk {
    auto = create
    special_use = \\Junk
  }
  mailbox Sent {
    auto = create
    special_use = \\Sent
  }
}
service imap-login {
  chroot =
  inet_listener imap {
    port = $imap
  }
  inet_listener imaps {
    port = $imaps
    ssl = yes
  }
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = $pop3
  }
  inet_listener pop3s {
    port = $pop3s
    ssl = yes
  }
}
service lmtp {
  user = $as
  unix_listener lmtp {
    mode = 0666
  }
}
service anvil {
  chroot =
  # No growing delays after wrong passwords: tests give many.
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener postfix {
    mode = 0666
  }
}
EOF
  # nginx answers for the server that knows which tokens are good.
  cat > "$dir/dovecot/oauth2.conf" <<EOF
introspection_mode = get
introspection_url = http://127.0.0.1:$http/introspect?token=
username_attribute = username
active_attribute = active
active_value = true
EOF
  chown -R "$as:$as" "$dir/dovecot"
}

# It takes mail for the one account, and from that account alone for others.
configure_postfix() {
  local etc=$dir/postfix/etc queue=$dir/postfix/queue q
  mkdir -p "$etc" "$dir/postfix/data" "$dir/postfix/fates" "$queue/pid"
  for q in active bounce corrupt defer deferred flush hold incoming maildrop saved trace; do
    install -d -o postfix -m 700 "$queue/$q"
  done
  fate deliver
  install -d -o postfix -m 700 "$queue/private"
  install -d -o postfix -g postdrop -m 710 "$queue/public"
  chown postfix "$dir/postfix/data"
  cat > "$etc/main.cf" <<EOF
compatibility_level = 3.6
queue_directory = $queue
data_directory = $dir/postfix/data
maillog_file = $dir/postfix/log
maillog_file_prefixes = $dir
myhostname = $name
mydestination =
recipient_delimiter = +
virtual_mailbox_domains = varde.test
virtual_mailbox_maps = inline:{$user=x}
virtual_transport = lmtp:unix:$dir/dovecot/run/lmtp
sender_bcc_maps = inline:{$user=${user/@/+Sent@}}
header_checks = regexp:$etc/headers
mynetworks = 127.255.255.255/32
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = may
smtpd_tls_cert_file = $dir/tls/postfix.pem
smtpd_tls_key_file = $dir/tls/postfix.key
smtpd_sasl_type = dovecot
smtpd_sasl_path = $dir/dovecot/run/postfix
EOF
  cat > "$etc/master.cf" <<EOF
127.0.0.1:$smtp inet n - n - - smtpd
127.0.0.1:$submission inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_tls_auth_only=yes -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$smtps inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
cleanup unix n - n - 0 cleanup
  -o max_use=1
qmgr unix n - n 300 1 qmgr
lmtp unix - - n - - lmtp
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
EOF
}

# action FATE: what cleanup does with a mail.
action() {
  case $1 in
    deliver) echo DUNNO ;;
    hold) echo HOLD ;;
    discard) echo DISCARD ;;
    junk) echo "REDIRECT ${user/@/+Junk@}" ;;
  esac
}

# fate FATE [PROBE...]: what becomes of mails, by their headers; cleanup reads them
# anew for every mail. The header of the receiver stands in it in any case.
fate() {
  local of=$dir/postfix/fates probe
  if [ $# = 1 ]; then
    rm -f "$of"/*
    echo "$1" > "$of/.others"
  fi
  for probe in "${@:2}"; do echo "$1" > "$of/$probe"; done
  {
    echo "/^Auto-Submitted:/ PREPEND Authentication-Results: $name; spf=pass smtp.mailfrom=$user; dkim=none; dmarc=fail"
    for probe in $(ls "$of"); do
      echo "/^X-Probe-Id: [0-9a-f]+\.$probe\./ $(action "$(cat "$of/$probe")")"
    done
    echo "/^X-Probe-Id:/ $(action "$(cat "$of/.others")")"
  } > "$dir/postfix/etc/headers.new"
  mv "$dir/postfix/etc/headers.new" "$dir/postfix/etc/headers"
}

# release [PROBE...]: delivers what was held, of these probes or of all.
release() {
  local probe held
  if [ $# = 0 ]; then
    held=ALL
  else
    held=$(for probe in "$@"; do
      { grep -ralE "X-Probe-Id: [0-9a-f]+\.$probe\." "$dir/postfix/queue/hold" || true; } | xargs -rn 1 basename
    done)
  fi
  [ -z "$held" ] || postsuper -c "$dir/postfix/etc" -H - <<< "$held" 2> /dev/null
  kill -HUP "$(alive postfix)" # it looks into its queue
}

configure_nginx() {
  mkdir -p "$dir/nginx/www"
  echo '<!doctype html><title>Webmail</title><h1>Webmail</h1>' > "$dir/nginx/www/index.html"
  cat > "$dir/nginx/nginx.conf" <<EOF
daemon off;
user www-data;
worker_processes 1;
pid $dir/nginx/pid;
error_log $dir/nginx/log;
events { worker_connections 512; }
http {
  access_log off;
  default_type text/html;
  client_body_temp_path $dir/nginx/body; proxy_temp_path $dir/nginx/proxy;
  fastcgi_temp_path $dir/nginx/fastcgi; uwsgi_temp_path $dir/nginx/uwsgi; scgi_temp_path $dir/nginx/scgi;
  server {
    listen 127.0.0.1:$http;
    listen 127.0.0.1:$https ssl http2;
    ssl_certificate $dir/tls/nginx.pem;
    ssl_certificate_key $dir/tls/nginx.key;
    root $dir/nginx/www;
    location = /introspect {
      default_type application/json;
      if (\$arg_token = "$(cat "$dir/token")") { return 200 '{"active":true,"username":"$user"}'; }
      return 200 '{"active":false}';
    }
    if (-f $dir/nginx/unavailable) { return 503; }
  }
}
EOF
}

# ---- processes --------------------------------------------------------------

# Each server runs in the foreground of a session of its own; its log says why
# when it does not start.
up() {
  local log=$dir/$1/start.log
  [ -z "$(alive "$1")" ] || die "$1 runs already"
  # Where nobody reaps it, a killed process keeps its pid and looks alive to dovecot.
  rm -f "$dir/dovecot/run/master.pid"
  case $1 in
    dovecot) set -- "$1" setpriv --reuid=dovecot --regid=dovecot --init-groups dovecot -F -c "$dir/dovecot/dovecot.conf" ;;
    postfix) set -- "$1" env MAIL_CONFIG="$dir/postfix/etc" "$(postconf -h daemon_directory)/master" -d ;;
    nginx) set -- "$1" nginx -p "$dir/nginx" -c "$dir/nginx/nginx.conf" -e "$dir/nginx/log" ;;
  esac
  setsid "${@:2}" < /dev/null >> "$log" 2>&1 &
  echo $! > "$dir/$1.pid"
  ready "$1" || die "$1 did not start: $(tail -n 3 "$log" "$dir/$1/log" 2>/dev/null | tr '\n' ' ')"
}

# ready waits until every port of a server takes connections.
ready() {
  local port list
  case $1 in
    dovecot) list="$imap $imaps $pop3 $pop3s" ;;
    postfix) list="$smtp $submission $smtps" ;;
    nginx) list="$http $https" ;;
  esac
  for port in $list; do
    for _ in $(seq 500); do
      (exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue 2
      [ -n "$(alive "$1")" ] || return 1
      sleep 0.02
    done
    return 1
  done
}

# alive prints the pid of a server's first process if that still lives.
alive() {
  local pid
  pid=$(cat "$dir/$1.pid" 2>/dev/null) || return 0
  [ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null && echo "$pid" || true
}

# tree prints a process and all its descendants, parents first.
tree() {
  local child
  echo "$1"
  for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree "$child"; done
}

# signal SERVER SIGNAL sends it to every process of a server. The first one is
# stopped before its children are listed, so that it starts no more of them. A
# signal takes effect after kill has returned: for STOP and KILL wait until it has.
signal() {
  local pid all
  pid=$(alive "$1")
  [ -n "$pid" ] || die "$1 does not run"
  if [ "$2" != CONT ]; then
    kill -STOP "$pid"
    settle TZX "$pid"
  fi
  all=$(tree "$pid")
  for pid in $all; do kill "-$2" "$pid" 2>/dev/null || true; done
  case $2 in
    STOP) settle TZX "$all" ;;
    KILL) settle ZX "$all" ;;
  esac
}

# settle STATES PIDS: waits until each process has ended or is in one of the states.
settle() {
  local pid
  for pid in $2; do
    for _ in $(seq 250); do
      grep -q "^State:.[$1]" "/proc/$pid/status" 2>/dev/null || [ ! -d "/proc/$pid" ] && continue 2
      sleep 0.02
    done
    die "process $pid does not obey"
  done
}

# down ends a server at once. Nothing that it holds is worth a clean end, which
# takes dovecot a second.
down() { [ -z "$(alive "$1")" ] || signal "$1" KILL; }

start() {
  [ $# = 1 ] || usage
  [ "$(id -u)" = 0 ] || die "start needs root, for postfix"
  local server
  for server in $servers; do
    command -v "$server" > /dev/null || die "$server is not installed"
    [ -z "$(alive "$server")" ] || die "$server runs already in $dir"
  done
  rm -rf "$dir"
  mkdir -p "$dir"
  chmod 755 "$dir"
  echo "$1" > "$dir/port"
  head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$dir/password"
  head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$dir/token"
  ports
  certificates
  for server in $servers; do
    "configure_$server"
    up "$server"
  done
  if [ -n "${MAILSTACK_OWNER:-}" ]; then
    setsid "$0" watch "$dir" "$MAILSTACK_OWNER" < /dev/null > /dev/null 2>&1 &
  fi
  printf '%s\n' "IMAP=127.0.0.1:$imap" "IMAPS=127.0.0.1:$imaps" "SUBMISSION=127.0.0.1:$submission" \
    "SMTPS=127.0.0.1:$smtps" "SMTP=127.0.0.1:$smtp" "HTTPS=127.0.0.1:$https" "HTTP=127.0.0.1:$http" \
    "POP3=127.0.0.1:$pop3" "POP3S=127.0.0.1:$pop3s" \
    "NAME=$name" "USER=$user" "PASSWORD_FILE=$dir/password" "TOKEN_FILE=$dir/token" "CA=$dir/tls/ours/ca.pem"
}

stop() { for server in $servers; do down "$server"; done; }

status() {
  local pid
  for server in $servers; do
    pid=$(alive "$server")
    if [ -z "$pid" ]; then echo "$server - stopped"
    elif grep -q '^State:.T' "/proc/$pid/status"; then echo "$server $pid frozen"
    else echo "$server $pid running"; fi
  done
}

one_of() { # WORD ALLOWED...
  local word=$1 x
  shift
  for x in "$@"; do [ "$word" = "$x" ] && return 0; done
  die "got \"$word\", expected one of $*"
}

case $command in
  start) start "$@"; exit ;;
  watch) # until the owner has ended, or somebody stopped the stack
    while [ -d "/proc/$1" ] && [ -n "$(alive dovecot)$(alive postfix)$(alive nginx)" ]; do sleep 0.5; done
    stop
    exit ;;
esac
[ -f "$dir/port" ] || die "nothing was started in $dir"
ports
case $command in
  freeze | thaw | kill | up | cert) one_of "${1:-}" $servers ;;
esac
case $command in
  stop) stop ;;
  status) status ;;
  freeze) signal "$1" STOP ;;
  thaw) signal "$1" CONT ;;
  kill) signal "$1" KILL ;;
  up) up "$1" ;;
  cert)
    one_of "${2:-}" good expired name untrusted
    down "$1"
    certificate "$1" "$2"
    up "$1" ;;
  account)
    one_of "${1:-}" good changed
    password=$(cat "$dir/password")
    [ "$1" = good ] || password=another-$password
    account "$password"
    sleep 1.1 ;; # dovecot looks at the file at most once a second
  http)
    one_of "${1:-}" ok unavailable
    if [ "$1" = ok ]; then rm -f "$dir/nginx/unavailable"; else : > "$dir/nginx/unavailable"; fi ;;
  mail)
    one_of "${1:-}" deliver hold discard junk
    fate "$@"
    [ "$1" != deliver ] || release "${@:2}" ;;
  *) usage ;;
esac
