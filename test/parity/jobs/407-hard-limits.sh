#!/bin/bash
for what in c d e f i l m n q r s t u v x; do echo "$what $(ulimit -S -$what) $(ulimit -H -$what)"; done
