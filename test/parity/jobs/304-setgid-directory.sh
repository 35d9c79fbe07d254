#!/bin/bash
#PARITY before mkdir team && chgrp physics team && chmod 2775 team
echo shared > team/file
mkdir team/sub
stat -c '%n %a %u %g' team/file team/sub
