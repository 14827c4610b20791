#!/bin/bash
# Reads process ids, one a line, until "done". If the pipe closes without that word, the process that held it has died:
# the processes named so far are asked to end, and ended by force after ten seconds. $1: folder of the run, unused but telling in ps.
pids=()
while read -r line; do
    [[ $line == done ]] && exit 0
    # The start time tells a process from a later one with the same number.
    [[ -r /proc/$line/stat ]] && pids+=("$line:$(cut -d' ' -f22 "/proc/$line/stat" 2>/dev/null)")
done
alive() {
    local found=()
    for entry in "${pids[@]}"; do
        local pid=${entry%%:*}
        [[ -r /proc/$pid/stat && $(cut -d' ' -f22 "/proc/$pid/stat" 2>/dev/null) == "${entry##*:}" ]] && found+=("$entry")
    done
    pids=("${found[@]}")
    ((${#pids[@]} > 0))
}
for signal in TERM KILL; do
    alive || exit 0
    for entry in "${pids[@]}"; do kill -"$signal" "${entry%%:*}" 2>/dev/null; done
    for _ in {1..100}; do
        alive || exit 0
        sleep 0.1
    done
done
