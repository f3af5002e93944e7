#!/bin/busybox sh
# PID 1 of Myna's default guest. Options on the kernel's command line:
#   myna.command     run the command that the host sends over the port myna.control, then power off
#   myna.tty=NAME    where the shell is, if not on the console
#   myna.size=RxC    its rows and columns
#   myna.run=PROGRAM run that program of the initramfs on the console, then power off
#   myna.nonet       leave the network alone
b=/bin/busybox
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=linux USER=root
$b mount -t proc -o nosuid,nodev,noexec proc /proc
read -r kernel </proc/sys/kernel/osrelease
echo "Myna guest: Linux $kernel"
$b mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
$b mount -t devtmpfs -o mode=0755,nosuid devtmpfs /dev 2>/dev/null
$b mkdir -p /dev/pts /dev/shm
$b mount -t devpts -o mode=0620,ptmxmode=0666 devpts /dev/pts
$b mount -t tmpfs tmpfs /dev/shm
$b mount -t tmpfs tmpfs /run
$b --install -s
$b ln -sf /proc/self/fd /dev/fd
hostname myna
command='' tty='' size='' run='' net=1
for word in $($b cat /proc/cmdline); do
    case $word in
        myna.command) command=1 ;;
        myna.tty=*) tty=${word#*=} ;;
        myna.size=*) size=${word#*=} ;;
        myna.run=*) run=${word#*=} ;;
        myna.nonet) net='' ;;
    esac
done
modprobe -a -q $(cat /etc/modules) 2>/dev/null

network() {
    ip link set lo up
    for link in /sys/class/net/*; do
        link=${link##*/}
        [ "$link" = lo ] || [ ! -e "/sys/class/net/$link/device" ] && continue
        ip link set "$link" up
        udhcpc -i "$link" -q -n -f -t 4 -T 1 -s /etc/udhcpc.script >/run/udhcpc.log 2>&1
    done
}

# The host's ports by name; they appear a moment after their devices.
port() {
    tries=0
    while [ $tries -lt 300 ]; do
        for p in /sys/class/virtio-ports/*; do
            if [ -e "$p/name" ]; then
                read -r name <"$p/name"
                if [ "$name" = "$1" ]; then
                    echo "/dev/${p##*/}"
                    return 0
                fi
            fi
        done
        usleep 20000
        tries=$((tries + 1))
    done
    echo "myna: the host has no port $1" >&2
    return 1
}

off() {
    sync
    poweroff -f
    # Only a board without a way to switch off comes here.
    while :; do sleep 3600; done
}

if [ -n "$command" ]; then
    [ -n "$net" ] && network
    control=$(port myna.control) && out=$(port myna.stdout) && err=$(port myna.stderr) && in=$(port myna.stdin) || off
    exec 3<>"$control" 4>"$out" 5>"$err" 6<>"$in"
    echo ready >&3
    read -r length <&3
    dd bs="$length" count=1 iflag=fullblock <&3 >/run/command 2>/dev/null
    cd /root
    # Standard input comes in blocks, each after a line with its length; 0 ends it. A pipe of its own keeps a command
    # that does not read it from waiting for its end.
    mkfifo /run/stdin
    {
        while read -r length <&6 && [ "$length" -gt 0 ]; do
            dd bs="$length" count=1 iflag=fullblock <&6 2>/dev/null || break
        done >/run/stdin
    } 3>&- 4>&- 5>&- 2>/dev/null &
    sh /run/command </run/stdin >&4 2>&5 3>&- 4>&- 5>&- 6>&-
    status=$?
    exec 4>&- 5>&-
    sync
    echo "status $status" >&3
    off
fi

if [ -n "$run" ]; then
    "$run"
    off
fi

[ -n "$net" ] && network &
[ -n "$tty" ] || tty=$(cat /sys/class/tty/console/active)
tty=/dev/${tty##* }
[ -c "$tty" ] || tty=/dev/console
if [ -n "$size" ]; then
    stty rows "${size%x*}" columns "${size#*x}" <"$tty"
fi
cd /root
echo 'Type "exit" or "poweroff" to switch the machine off.'
# busybox's poweroff, halt and reboot tell PID 1 by signal. A trap runs while the shell waits, not while it runs a program.
trap off USR1 USR2
trap 'sync; reboot -f' TERM
setsid -c sh -l <"$tty" >"$tty" 2>&1 &
wait $!
off
