#!/usr/bin/dash
echo "dash: ${BASH_VERSION:-no bash}"
