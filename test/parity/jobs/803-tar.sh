#!/bin/bash
mkdir data && for n in 1 2 3; do echo "$n" > "data/$n"; done
tar --sort=name --mtime=@0 --owner=0 --group=0 -cf - data | gzip -n > data.tgz
rm -r data; tar xzf data.tgz; cat data/*
