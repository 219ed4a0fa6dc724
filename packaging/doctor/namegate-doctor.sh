#!/bin/sh
# First checks inside a job whose image has no Node: is namegate its only way to resolve names? `namegate doctor` looks at more.
#
#   sh namegate-doctor.sh [RESOLV_CONF]
#
# It needs sed, and one of dig, kdig, nslookup or host to ask with. Exit codes: 0 all is well, 1 something must be done, 2 nothing here
# can ask a nameserver.
file=${1:-/etc/resolv.conf}
name=github.com._why.namegate.internal
todo=0
asked=0

well() { printf 'ok    %s\n' "$1"; }
bad() {
  todo=$((todo + 1))
  printf 'bad   %s\n      do: %s\n' "$1" "$2"
}
have() { command -v "$1" >/dev/null 2>&1; }

# What a nameserver says of itself: only namegate explains this name.
why() {
  if have dig; then dig "@$1" +time=5 +tries=1 "$name" TXT 2>&1
  elif have kdig; then kdig "@$1" +time=5 +retry=0 "$name" TXT 2>&1
  elif have nslookup; then nslookup -type=txt "$name" "$1" 2>&1
  elif have host; then host -W 5 -t TXT "$name" "$1" 2>&1
  else return 1
  fi
}

if [ ! -r "$file" ]; then
  bad "$file cannot be read: stubs ask 127.0.0.1" "write one nameserver line, for namegate, in $file"
fi
# resolv.conf(5): the keyword begins the line; what follows the address is ignored.
servers=$(sed -n 's/^nameserver[[:blank:]][[:blank:]]*\([0-9A-Fa-f:.%][0-9A-Za-z:.%_-]*\).*/\1/p' "$file" 2>/dev/null)
if [ -z "$servers" ] && [ -r "$file" ]; then
  bad "$file lists no nameserver: stubs ask 127.0.0.1" "write one nameserver line, for namegate, in $file"
fi
for server in ${servers:-127.0.0.1}; do
  if ! answer=$(why "$server") && [ -z "$answer" ]; then continue; fi
  asked=1
  line=$(printf '%s\n' "$answer" | tr -d '"' | sed -n 's/.*\(github\.com A: [a-z]* for [^;]*\).*/\1/p' | sed -n 1p)
  stub=$(printf '%s\n' "$answer" | sed -n 's/.*\(namegate stub: [^)]*\).*/\1/p' | sed -n 1p)
  if [ -n "$line" ]; then
    case $line in
      *' for unknown'*)
        address=$(printf '%s\n' "$answer" | sed -n 's/.*namegate sees you as \([0-9A-Fa-f:.]*[0-9A-Fa-f:]\).*/\1/p' | sed -n 1p)
        bad "nameserver $server is namegate, and does not know this client${address:+, which it sees as $address}" \
          "add ${address:-the address that the log of namegate shows} to from.addresses of an identity"
        ;;
      *) well "nameserver $server is namegate: $line" ;;
    esac
  elif [ -n "$stub" ]; then
    bad "nameserver $server is $stub" 'keep the line; start the server that the stub names, and let its port through'
  else
    bad "nameserver $server is not namegate, or does not answer" "remove the line from $file, or start namegate there"
  fi
done
if [ "$asked" = 0 ]; then
  printf 'none of dig, kdig, nslookup and host is here: nobody was asked. These are the nameservers:\n%s\n' "$servers"
  exit 2
fi
if [ -r /etc/nsswitch.conf ] && grep -q '^[[:blank:]]*hosts:.*[[:blank:]]resolve\([[:blank:]]\|$\)' /etc/nsswitch.conf; then
  printf 'note  hosts: in /etc/nsswitch.conf names resolve: systemd-resolved has nameservers of its own\n'
fi
proxies=$(env | sed -n 's/^\([A-Za-z]*_[Pp][Rr][Oo][Xx][Yy]\)=..*/\1/p' | grep -vi '^no_proxy$' | tr '\n' ' ')
if [ -n "$proxies" ]; then printf 'note  a proxy resolves names itself: %s\n' "$proxies"; fi
if [ "$todo" = 0 ]; then
  echo 'all is well'
  exit 0
fi
echo "$todo to do"
exit 1
