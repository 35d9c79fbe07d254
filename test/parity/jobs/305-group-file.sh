#!/bin/bash
#PARITY before echo secret > group-only && chgrp physics group-only && chmod 060 group-only
cat group-only
echo "status $?"
