#!/bin/bash
# Runs a systemd as PID 1 of its own namespaces: `boot.sh KIND BIN OUT`, in a mount namespace of its own. The programs of
# BIN are in /run/graceful/bin and, for the unit of the example, as /usr/local/bin/http; what units leave in
# /run/graceful/out is in OUT. Nothing else of the machine can be changed from inside, and none of its services run.
#
# KIND is `unified`, or `hybrid` for the old hierarchies of controllers, where a machine has its limits on memory and CPU
# there.
set -euo pipefail

# The old hierarchies of this machine, and systemd's: `memory`, `cpu,cpuacct`, `name=systemd`. A new group of `cpuset` has
# no CPU, and systemd uses none.
hierarchies() {
    { awk -F: '$1 != 0 && $2 !~ /cpuset/ { print $2 }' /proc/self/cgroup; echo name=systemd; } | sort -u
}

mount_hierarchies() {
    local hierarchy
    for hierarchy in $(hierarchies); do
        mkdir "$1/${hierarchy#name=}"
        mount -t cgroup -o "${hierarchy/#name=/none,name=}" cgroup "$1/${hierarchy#name=}"
    done
}

# Before the namespaces: cgroups of its own, since another systemd may be at work. They are removed when it is gone.
enter() {
    local kind=$1 bin=$2 out=$3 number=$$ own=()
    mount --make-rprivate /
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/cgroup2
    mount -t cgroup2 cgroup2 /mnt/cgroup2
    for controller in memory cpu pids; do
        echo "+$controller" >/mnt/cgroup2/cgroup.subtree_control 2>/dev/null || true
    done
    own+=("/mnt/cgroup2/graceful-$number")
    if [[ $kind == hybrid ]]; then
        mount_hierarchies /mnt
        for hierarchy in $(hierarchies); do own+=("/mnt/${hierarchy#name=}/graceful-$number"); done
    fi
    mkdir "${own[@]}"
    (
        for cgroup in "${own[@]}"; do echo $BASHPID >"$cgroup/cgroup.procs"; done
        exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --uts --ipc --cgroup --mount-proc \
            bash "$0" boot "$kind" "$bin" "$out"
    ) || true
    for _ in {1..50}; do
        find "${own[@]}" -depth -type d -exec rmdir {} + 2>/dev/null && break
        sleep 0.1
    done
}

boot() {
    local kind=$1 bin=$2 out=$3
    mount --make-rprivate /
    # systemd empties /tmp and keeps its state in /run: it gets its own. It would start the services of /etc.
    for folder in /tmp /var/tmp /var/log /etc/systemd/system /usr/local/bin /mnt; do
        mount -t tmpfs tmpfs "$folder"
    done
    mkdir -p /mnt/run/graceful/{bin,out} /mnt/run/systemd/system
    mount --bind "$bin" /mnt/run/graceful/bin
    mount --bind "$out" /mnt/run/graceful/out
    mount --rbind /mnt/run /run
    ln -s /run/graceful/bin/example-http /usr/local/bin/http
    umount -R /sys/fs/cgroup 2>/dev/null || true
    if [[ $kind == unified ]]; then
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
    else
        mount -t tmpfs tmpfs /sys/fs/cgroup
        mkdir /sys/fs/cgroup/unified
        mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
        mount_hierarchies /sys/fs/cgroup
    fi
    # Whatever systemd may still try: the rest of the file system cannot be written to.
    mount -o remount,bind,ro /

    cd /run/systemd/system
    local masked=(
        systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer
        systemd-sysctl.service systemd-modules-load.service systemd-remount-fs.service systemd-sysusers.service
        systemd-binfmt.service
    )
    for unit in "${masked[@]}"; do ln -s /dev/null "$unit"; done
    printf '%s\n' '[Unit]' 'Description=The journal, and nothing else' DefaultDependencies=no AllowIsolate=yes \
        Requires=systemd-journald.socket After=systemd-journald.socket >rows.target
    cd /
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=lxc /lib/systemd/systemd --system --log-target=journal \
        --unit=rows.target
}

case $1 in
    boot) boot "${@:2}" ;;
    *) enter "$@" ;;
esac
