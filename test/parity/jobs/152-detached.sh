#!/bin/bash
# Three ways to leave a shell behind: all end with the job's processes, and none holds it up.
setsid sh -c 'echo setsid; exec sleep 1000' > one.txt < /dev/null 2>&1 &
nohup sh -c 'echo nohup; exec sleep 1000' > two.txt 2>&1 & disown %2
(sleep 1000 & echo "orphan's parent is over") > three.txt
until [ -s one.txt ] && grep -q nohup two.txt; do sleep 0.05; done
jobs -r | sed 's/  */ /g'; disown -a; jobs; head *.txt
exit 42
