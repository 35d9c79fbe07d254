#!/bin/bash
#PARITY needs names
whoami; id -un; id -gn; groups
echo "$USER $LOGNAME"
