#!/bin/bash
mkdir -p results/deep
echo data > results/deep/data.txt
chmod 640 results/deep/data.txt
ln -s deep/data.txt results/link
ln results/deep/data.txt results/hard
mkfifo results/pipe
