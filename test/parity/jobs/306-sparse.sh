#!/bin/bash
truncate -s 5M sparse
printf end >> sparse
stat -c %s sparse
