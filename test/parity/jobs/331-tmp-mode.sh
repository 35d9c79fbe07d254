#!/bin/bash
#PARITY differs tmp-mode
#PARITY lines ^1?777$
stat -c %a /tmp
