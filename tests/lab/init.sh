#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# The lab guest's whole userland: loads the balloon driver and obeys commands
# that tests/lab/guest.py writes to the second serial port, a line each.

/bin/busybox mkdir -p /bin /dev /proc /sys /hog
/bin/busybox --install -s /bin
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs -o size=90% none /hog

load_driver() { insmod /modules/virtio_balloon.ko; }

# In place of the real driver, if it is there: the one that sends forged values.
forge() {
    if [ ! -d /sys/module/forge ]; then
        rmmod virtio_balloon
        insmod /modules/forge.ko values=$1
    fi
    echo $1 >/sys/module/forge/parameters/values
}

# What is not there is built into the kernel.
for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
do
    [ ! -e /modules/$module.ko ] || insmod /modules/$module.ko
done
grep -q lab.nodriver /proc/cmdline || load_driver

exec 3<>/dev/ttyS1
stty raw -echo <&3
echo "lab: ready" >/dev/console

while read -r command argument <&3
do
    case $command in
        take) dd if=/dev/zero of=/hog/$(ls /hog | wc -l) bs=1M count=$argument 2>/dev/null ;;
        give) rm -f /hog/* ;;
        load) load_driver ;;
        forge) forge $argument ;;
        unload) rmmod virtio_balloon ;;
        reboot) reboot -f ;;
        meminfo) cat /proc/meminfo >&3 ;;
        panic) echo c >/proc/sysrq-trigger ;;
        *) false ;;
    esac && echo "done" >&3 || echo "failed" >&3
done
