# shellcheck shell=bash
# What the scripts for LocalStack and MiniStack share; they source it from the root of the checkout. They set `name`
# and `port`, `config` (an environment of samconfig.toml) and `callbacks` (who can receive them), may set `python` and
# `live` (the check of what not every emulator has), and define `start` and `stop`.

sam=$(infra/tools/install sam)
export PATH="$sam/bin:$PATH" SAM_CLI_TELEMETRY=0
export AWS_ENDPOINT_URL="http://127.0.0.1:${port:?}" AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
unset AWS_PROFILE AWS_SESSION_TOKEN

# The emulator's process id, output and files.
state="${XDG_CACHE_HOME:-$HOME/.cache}/tidings/run/${name:?}"

# Starts a command in the background, in a process group of its own, and waits until a URL answers.
spawn() { # url command...
  local url=$1
  shift
  if curl --silent --output /dev/null "$AWS_ENDPOINT_URL"; then
    echo "Something answers on port $port already; stop it first ($0 stop)" >&2
    exit 1
  fi
  mkdir -p "$state"
  setsid "$@" >"$state/log" 2>&1 </dev/null &
  echo $! >"$state/pid"
  for _ in {1..240}; do
    if curl --silent --fail --output /dev/null "$url"; then
      echo "$name is up: $AWS_ENDPOINT_URL (output: $state/log)"
      return
    fi
    kill -0 "$(<"$state/pid")" 2>/dev/null || break
    sleep 0.5
  done
  tail -n 40 "$state/log" >&2
  echo "$name did not start" >&2
  stop_spawned
  exit 1
}

stop_spawned() {
  [[ -f $state/pid ]] || return 0
  local pid
  pid=$(<"$state/pid")
  kill -TERM -- "-$pid" 2>/dev/null || true
  for _ in {1..40}; do
    kill -0 -- "-$pid" 2>/dev/null || break
    sleep 0.25
  done
  kill -KILL -- "-$pid" 2>/dev/null || true
  rm -rf "${state:?}"
}

# Deploys what `sam build` made, as one deploys to AWS. Parameters given are changed; the others stay.
deploy() { # [Parameter=value...]
  [[ -f .aws-sam/build/template.yaml ]] || infra/template/build
  local overrides=()
  (($# == 0)) || overrides=(--parameter-overrides "$@")
  sam deploy --config-env "${config:?}" "${overrides[@]}" >"$state/deploy.log" 2>&1 || {
    cat "$state/deploy.log" >&2
    tail -n 40 "$state/log" >&2
    return 1
  }
  echo "Deployed ${*:-the stack}"
}

smoke() { # check...
  "${python:-$sam/bin/python}" infra/localstack/smoke.py --callbacks "${callbacks:?}" "$@" || {
    # The functions' own words are in the test's output; these are the emulator's.
    tail -n 40 "$state/log" >&2
    return 1
  }
}

# Both lanes with a provider that fails half the time, inbound webhooks and the smaller surfaces; then, with one that does
# not, each lane by itself.
whole_test() {
  start
  trap stop EXIT
  deploy
  # shellcheck disable=SC2086 # none or one
  smoke answers both inbound clients broker organizations generator ${live:-}
  deploy FailureProbability=0
  smoke answers stream schedule
  echo "$name: everything passed"
}

main() {
  case "${1:-}" in
    "") whole_test ;;
    start | stop | deploy | smoke) "$@" ;;
    *)
      sed -n '2,/^set/s/^# //p' "infra/localstack/$(basename "$0")" >&2
      exit 64
      ;;
  esac
}
