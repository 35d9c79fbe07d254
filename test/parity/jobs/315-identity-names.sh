#!/bin/bash
whoami; id -un; id -gn; groups
echo "$USER $LOGNAME"
