#!/bin/bash
# By a signal that has no name in most tables.
(exit 200); echo $?; (kill -RTMIN $BASHPID); echo $?; bash -c 'exit 300'; echo $?; bash -c 'exit -1'; echo $?
trap 'echo rt' RTMIN+1; kill -RTMIN+1 $$
kill -RTMIN+3 $$
