#!/bin/bash
exec 2>&- 0<&-
echo "only stdout"
ls /no/such/file
echo "status $?"
cat; echo "cat $?"
exec 1>&-
sleep 0.2
touch ran-on
exit 3
