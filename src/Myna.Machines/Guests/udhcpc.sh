#!/bin/busybox sh
# Applies what DHCP says (busybox's udhcpc calls it with the lease in its environment).
[ -n "$1" ] || exit 1
case $1 in
    deconfig)
        ip address flush dev "$interface"
        ;;
    bound | renew)
        ip address replace "$ip/${mask:-24}" dev "$interface"
        for r in $router; do
            ip route replace default via "$r" dev "$interface"
            break
        done
        : >/etc/resolv.conf
        [ -n "$domain" ] && echo "search $domain" >>/etc/resolv.conf
        for d in $dns; do echo "nameserver $d" >>/etc/resolv.conf; done
        ;;
esac
exit 0
