#!/bin/bash
touch -d '2020-01-02 03:04:05 UTC' old
stat -c %Y old
cp -p old copy; stat -c %Y copy
