# What the scripts of this folder share; sourced, with $0 a script named as its server.
# Each server keeps to a folder of its own per checkout (log, data, pid, url), listens on loopback on a free port,
# and runs as its own user if the script runs as root. `url` is there exactly while the server is ready.

name=$(basename "$0")
checkout=$(cd "$(dirname "$0")/../.." && pwd)
# Under /var/tmp: the server's user must reach it, and a sync must reach a disk.
folder=${WAYBILL_SERVERS:-/var/tmp/waybill-servers-$(id -u)-$(echo "$checkout" | cksum | cut -d' ' -f1)}/$name

usage() {
  echo "usage: tools/servers/$name start|stop|kill|suspend|resume|wipe|status|url" >&2
  exit 2
}

say() { echo "$name: $*" >&2; }

# as USER COMMAND...: as USER if this is root, else as whoever this is. Not by runuser: it waits for the command, stands
# still with it, and stays when the command is then killed.
as() {
  user=$1
  shift
  if [ "$(id -u)" -eq 0 ]; then
    setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- "$@"
  else
    "$@"
  fi
}

# in_background COMMAND...: holds nothing open of what the caller gave, which may wait for the end of a pipe.
in_background() {
  (
    exec </dev/null >/dev/null 2>&1
    "$@"
  ) &
}

# make_folder USER: the server's folder, owned by USER when this is root.
make_folder() {
  mkdir -p "$(dirname "$folder")"
  chmod 755 "$(dirname "$folder")"
  mkdir -p "$folder"
  if [ "$(id -u)" -eq 0 ]; then chown "$1" "$folder"; fi
}

# A port that nobody listens on, below those that the kernel gives to clients.
free_port() {
  port=$((20000 + ($(od -An -N2 -tu2 /dev/urandom) % 12000)))
  while grep -qi ":$(printf '%04X' $port) " /proc/net/tcp /proc/net/tcp6 2>/dev/null; do port=$((port + 1)); done
  echo $port
}

# The id of the running server; fails if there is none. After a crash or a reboot the number may be another process's:
# the server is the one whose command line or environment names its folder.
pid() {
  [ -s "$folder/pid" ] || return 1
  id=$(head -n 1 "$folder/pid")
  cat "/proc/$id/cmdline" "/proc/$id/environ" 2>/dev/null | grep -qaF "$folder/" || return 1
  echo "$id"
}

# wait_until SECONDS COMMAND...: tries the command every 100 ms.
wait_until() {
  tries=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.1
  done
}

has_ended() { ! pid >/dev/null; }

# Whether every thread of process $1 has taken its SIGSTOP; until then it goes on answering.
is_suspended() { ! grep -h '^State:' "/proc/$1"/task/*/status | grep -qv '(stopped)'; }

# What else a server's script ends when the server is gone.
after_end() { :; }

# end SIGNAL: ends the server and waits until it is gone.
end() {
  rm -f "$folder/url"
  if id=$(pid); then
    kill "-$1" "$id"
    wait_until 60 has_ended || { say "process $id does not end"; return 1; }
  fi
  after_end
}

# main COMMAND: `run_server` starts the server on $port and returns when it is ready; `address` prints its URL.
main() {
  case "${1:-}" in
    start)
      pid >/dev/null && [ -s "$folder/url" ] && exit 0
      end TERM
      # A server that was stopped comes back on its port, as a restarted one does.
      port=$(cat "$folder/port" 2>/dev/null || free_port)
      run_server || { say "does not start; the end of its log:"; tail -n 20 "$folder/log" >&2; exit 1; }
      echo "$port" >"$folder/port"
      address >"$folder/url"
      ;;
    stop) end "${stop_signal:-TERM}" ;;
    kill) end KILL ;;
    suspend)
      id=$(pid) || { say "is not running"; exit 1; }
      kill -STOP "$id"
      wait_until 10 is_suspended "$id" || { say "process $id does not stand still"; exit 1; }
      ;;
    resume)
      id=$(pid) || { say "is not running"; exit 1; }
      kill -CONT "$id"
      ;;
    wipe)
      end KILL
      rm -rf "$folder"
      rmdir "$(dirname "$folder")" 2>/dev/null || true
      ;;
    status) if id=$(pid); then echo "running, process $id, $(cat "$folder/url")"; else echo "not running"; exit 1; fi ;;
    url) cat "$folder/url" 2>/dev/null || { say "is not running"; exit 1; } ;;
    *) usage ;;
  esac
}
