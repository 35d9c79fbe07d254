#!/bin/bash
nohup sh -c 'echo from nohup' > nohup.txt 2>&1
cat nohup.txt
