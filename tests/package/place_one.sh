#!/bin/sh
# usage: place_one.sh WAYBILL FIRST_MESSAGE: one order by the program that was built, its message as the command line shows it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" schema apply --store "sqlite://$folder/orders.db"
"$2" "$folder/orders.db" A-1
"$1" messages list --store "sqlite://$folder/orders.db" | grep 'INIT *order/order.placed/A-1'
