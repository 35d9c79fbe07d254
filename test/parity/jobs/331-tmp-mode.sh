#!/bin/bash
#PARITY differs tmp-mode
stat -c %a /tmp
