# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Timed steps for tools/lint and tools/test: each prints one line with its
# seconds, a failed one is remembered and the others still run, so that one
# run shows everything there is to mend.

FAILED_STEPS=()

# step NAME COMMAND...: run it, its output shown as it comes.
step() {
    local name=$1 begin=$EPOCHREALTIME verdict=ok
    shift
    if ! "$@"; then
        verdict=FAILED
        FAILED_STEPS+=("$name")
    fi
    printf '%-24s %-6s %8s s\n' "$name" "$verdict" "$(seconds_since "$begin")"
}

seconds_since() {
    awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'
}

# steps_verdict WHAT: the last line, and the exit status to match.
steps_verdict() {
    if ((${#FAILED_STEPS[@]})); then
        echo "$1: FAILED: ${FAILED_STEPS[*]}" >&2
        return 1
    fi
    echo "$1: passed"
}
